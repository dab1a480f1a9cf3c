"""Hooks: commands that run when something happens to a client (docs/hooks.md)."""
