"""The folder the journal lives in: private, and on disk before the journal is."""

from __future__ import annotations

import contextlib
import os

from tui_popretr.fs import sync_folder


def make_private_folders(folder: str) -> None:
    """Make a folder and those above it that are missing, mode 0700. Raises OSError.

    Each is durable before anything is made in it, whoever made it: a process may have been killed after it did. So the
    innermost one is left to who makes something in it.
    """
    missing = []
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        sync_holder(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def sync_holder(folder: str) -> None:
    """Make a folder itself durable, by way of the folder that holds it. Raises OSError."""
    sync_folder(os.path.dirname(folder))
