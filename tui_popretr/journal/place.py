"""The folder the journal lives in: private, and on disk before the journal is."""

from __future__ import annotations

import contextlib
import os


def make_private_folders(folder: str) -> None:
    """Make a folder and those above it that are missing, each with mode 0700 and durable. Raises OSError."""
    missing = []
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Make what was created, renamed or removed in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
