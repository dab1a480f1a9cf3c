"""Tests of the IMAP machine."""
