"""Delivery to a folder of an IMAP server (RFC 9051)."""
