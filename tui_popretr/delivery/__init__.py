"""Where messages go: one Sink contract, and a sink per kind of destination."""
