"""Retrieves mail from many POP3 accounts at once: durable, exactly once, with a live dashboard."""

__version__ = "0.1.0"
