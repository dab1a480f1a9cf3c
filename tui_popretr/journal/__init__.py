"""The journal: what has been delivered and what is owed to the servers, on disk before anything is deleted."""
