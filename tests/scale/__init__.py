"""What many clients, large messages and long listings do to time and memory."""
