"""`login`."""
