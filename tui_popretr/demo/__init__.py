"""The demo: a small world of mail accounts on a server of its own, and a run of the engine against it."""
