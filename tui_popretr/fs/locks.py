"""Locks that end with the process that holds them. Some file systems have none (docs/file-systems.md)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final

#: Errors of a lock that another process holds; EACCES on CIFS.
_HELD: Final = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES))
_NO_LOCKS: Final = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL))
_OFD_SETLK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
#: struct flock: type, whence, start, length, process; a length of 0 is the whole file.
_WHOLE_FILE: Final = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class NoLocksError(OSError):
    """The file system has no locks that end with the process that holds them."""


def lock(descriptor: int) -> None:
    """Lock an open file until it is closed or the process dies, without waiting.

    Raises BlockingIOError if another process holds the lock, NoLocksError, OSError. Without flock(2) it is an open file
    description lock. The classic locks of fcntl(2) cannot be used: they end when the process closes any descriptor of
    the file.
    """
    try:
        _take(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except NoLocksError as error:
        if _OFD_SETLK is None:
            raise
        with contextlib.suppress(NoLocksError):
            command = _OFD_SETLK
            _take(lambda: fcntl.fcntl(descriptor, command, _WHOLE_FILE))
            return
        raise NoLocksError(error.errno, error.strerror) from error


def check_classic_lock(descriptor: int) -> None:
    """Test whether a file can have the classic locks, which SQLite uses. Raises NoLocksError, OSError."""
    with contextlib.suppress(BlockingIOError):
        _take(lambda: fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _take(lock: Callable[[], object]) -> None:
    try:
        lock()
    except OSError as error:
        if error.errno in _HELD:
            raise BlockingIOError(error.errno, error.strerror) from error
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror) from error
        raise
