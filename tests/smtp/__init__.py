"""Tests of the SMTP and LMTP machine."""
