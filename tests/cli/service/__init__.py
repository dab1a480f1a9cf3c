"""tests of `service`."""
