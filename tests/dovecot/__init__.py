"""Tests against a real Dovecot."""
