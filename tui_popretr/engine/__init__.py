"""The engine: schedule, sessions, retrieval and the committer, on trio. It knows no face."""
