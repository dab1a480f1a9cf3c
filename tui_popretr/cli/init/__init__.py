"""`init`: makes a first configuration from a few answers and a test of the server. Loads nothing by itself."""
