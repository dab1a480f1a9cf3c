"""Files and folders on all kinds of file systems: read, create, fsync, lock, publish."""
