"""Migration: what other retrievers remember of the mail that they have left on the servers."""
