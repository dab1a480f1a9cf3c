"""What the program costs, measured. Nothing here is a test: figures depend on the machine."""
