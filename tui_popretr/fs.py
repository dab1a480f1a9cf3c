"""What file systems differ in: some cannot fsync a folder, lock a file, or tell how much room they have.

docs/file-systems.md says which, and what that means for mail and journal.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import tempfile
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from tui_popretr.text import visible

#: What fsync of a folder fails with where there is no such operation (EINVAL: CIFS and Ceph of some kernels; ENOTSUP,
#: ENOSYS: FUSE; EBADF: what was opened for reading only). Errors of a disk are others.
_NO_FOLDER_SYNC: Final = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF))
#: What a lock fails with that another process holds; EACCES on CIFS.
_HELD: Final = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES))
_NO_LOCKS: Final = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL))
_OFD_SETLK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
#: struct flock: type, whence, start, length, process; a length of 0 is the whole file.
_WHOLE_FILE: Final = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
#: A file that is written for trial has at most so many octets.
_TRIAL: Final = 4 * 1024 * 1024
_PIECE: Final = bytes(64 * 1024)


class NoLocksError(OSError):
    """The file system has no locks that end with the process that holds them."""


def sync_folder(path: str) -> bool:
    """Make what was created, renamed or removed in a folder durable. Blocking. Raises OSError.

    Returns False where the file system has no such operation: a killed program loses nothing there, a power cut may.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        # Passable and not readable, as /var/lib/private and shared spools are: only the whole system can be synced.
        os.sync()
        return True
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def unsafe_at_power_cuts(folders: Sequence[str]) -> str:
    """Return the sentence about folders that sync_folder() cannot make durable."""
    named = ", ".join(visible(folder, 4096) for folder in folders[:3])
    more = f" and {len(folders) - 3} more places" if len(folders) > 3 else ""
    return f"{named}{more}: the file system cannot fsync folders; a killed program loses nothing there, a power cut may"


def nearest_folder(path: str) -> str:
    """Return the nearest of a path and what is above it that is there. Blocking."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def lock(descriptor: int) -> None:
    """Lock an open file until it is closed or the process dies, without waiting.

    Raises BlockingIOError where another process has it, NoLocksError, OSError. Where flock(2) is not to be had, a lock
    of the open file description is taken. The classic ones of fcntl(2) are of no use: one goes as soon as the process
    closes any descriptor of the file.
    """
    try:
        _want(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except NoLocksError as error:
        if _OFD_SETLK is None:
            raise
        with contextlib.suppress(NoLocksError):
            command = _OFD_SETLK
            _want(lambda: fcntl.fcntl(descriptor, command, _WHOLE_FILE))
            return
        raise NoLocksError(error.errno, error.strerror) from error


def want_classic_lock(descriptor: int) -> None:
    """See whether a file can have the classic locks, which SQLite uses. Raises NoLocksError, OSError."""
    with contextlib.suppress(BlockingIOError):
        _want(lambda: fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _want(take: Callable[[], object]) -> None:
    try:
        take()
    except OSError as error:
        if error.errno in _HELD:
            raise BlockingIOError(error.errno, error.strerror) from error
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror) from error
        raise


def want_room(folder: str, octets: int) -> None:
    """See whether so many octets can be written into a folder. Blocking. Raises OSError where they cannot.

    What the file system says of its free space is a hint, and is wrong on some (btrfs may say 0): where it says too
    little, a file without a name is written, and that decides.
    """
    total, free = _space(folder)
    if octets <= free:
        return
    if octets > total:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with tempfile.TemporaryFile(dir=folder, prefix=".tui-popretr-", suffix=".part", buffering=0) as file:
        left = min(octets, _TRIAL)
        while left > 0:
            left -= file.write(_PIECE[:left])
        os.fsync(file.fileno())


def _space(folder: str) -> tuple[float, float]:
    """Return the octets of a file system and those that are free, as far as it tells; infinite where it does not."""
    try:
        space = os.statvfs(folder)
    except (OSError, AttributeError):  # some systems have no such function
        return inf, inf
    if not space.f_blocks:
        return inf, inf
    free = space.f_bfree if os.geteuid() == 0 else space.f_bavail
    return space.f_blocks * space.f_frsize, free * space.f_frsize
