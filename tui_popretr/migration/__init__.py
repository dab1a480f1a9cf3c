"""Migration: the lists of seen messages that fetchmail, getmail and mpop keep."""
