"""The journal: records of delivered messages, on disk before anything is deleted from a server (journal.py)."""
