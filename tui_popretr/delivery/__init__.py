"""Destinations: the contract (sink.py), and a sink for each kind of destination."""
