"""Destinations: two contracts (filedraft.py, remote.py), and a sink for each kind of destination."""
