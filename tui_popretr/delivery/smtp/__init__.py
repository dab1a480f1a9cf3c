"""Delivery to a mail server: SMTP (RFC 5321) and LMTP (RFC 2033)."""
