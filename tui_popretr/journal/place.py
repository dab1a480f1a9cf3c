"""The folder the journal lives in: private, and on disk before the journal is."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Final

#: What may be passed and not read, as /var/lib/private may; and file systems that know no fsync of a folder.
_NOT_TO_BE_SYNCED: Final = frozenset((errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP))


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
    try:
        sync_folder(os.path.dirname(folder))
    except OSError as error:
        if error.errno not in _NOT_TO_BE_SYNCED:
            raise
        os.sync()


def sync_folder(folder: str) -> None:
    """Make what was created, renamed or removed in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
