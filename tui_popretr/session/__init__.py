"""What one session does: connect, greet, log in, plan, retrieve, delete, QUIT."""
