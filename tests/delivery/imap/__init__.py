"""Delivery to mail servers: real ones, and one that fails on command."""
