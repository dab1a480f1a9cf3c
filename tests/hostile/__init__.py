"""A hostile server: one test for each thing it can do."""
