"""The parts of the dashboard's screen. Each is drawn by line, so that only what is visible costs anything."""
