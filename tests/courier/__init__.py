"""Against a real Courier."""
