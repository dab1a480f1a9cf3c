"""A real, small POP3 server on trio, for the demo and for tests. It is not meant for the network."""
