"""Logging in at a provider."""
