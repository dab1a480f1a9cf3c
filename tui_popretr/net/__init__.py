"""Connections to servers: host names, TCP, TLS and certificates."""
