"""The demo: mail accounts on a server of its own, and a run of the engine on them, once or on the dashboard."""
