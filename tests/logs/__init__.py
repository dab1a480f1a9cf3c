"""Tests of the log files."""
