"""Delivery into a Gmail account by Google's API."""
