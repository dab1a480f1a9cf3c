"""The dashboard, in Textual. It runs in the main thread; the engine runs in a thread of its own."""
