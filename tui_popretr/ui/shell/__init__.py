"""The running dashboard: the app, its terminal, the thread of the engine, and the ways to end."""
