"""Delivery to commands."""
