"""What opens above the dashboard: help, the question before the end, a client's details, problems."""
