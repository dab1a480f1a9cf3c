"""Running the program in a process of its own: start, wait, signal, kill; what was sent and what has arrived."""
