"""The log files: audit, transcript and trace, with rotation."""
