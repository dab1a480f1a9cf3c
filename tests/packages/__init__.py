"""Tests of what is built: wheel, sdist, container."""
