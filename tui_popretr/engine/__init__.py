"""The engine: when which client runs. It does not depend on any user interface."""
