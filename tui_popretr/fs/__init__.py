"""What the program does with files and folders on every kind of file system: read, make, fsync, lock, publish."""
