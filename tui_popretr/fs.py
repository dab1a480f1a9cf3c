"""Differences between file systems: some cannot fsync a folder, lock a file, or report their free space.

docs/file-systems.md lists them, and what that means for mail and journal.
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

#: Errors of fsync on a folder if the file system does not have it (EINVAL: CIFS and Ceph of some kernels; ENOTSUP,
#: ENOSYS: FUSE; EBADF: the folder is open for reading only). A failing disk has other errors.
_NO_FOLDER_SYNC: Final = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF))
#: Errors of a lock that another process holds; EACCES on CIFS.
_HELD: Final = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES))
_NO_LOCKS: Final = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL))
_OFD_SETLK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
#: struct flock: type, whence, start, length, process; a length of 0 is the whole file.
_WHOLE_FILE: Final = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
#: Octets of a test file, at most.
_TRIAL: Final = 4 * 1024 * 1024
_PIECE: Final = bytes(64 * 1024)


class NoLocksError(OSError):
    """The file system has no locks that end with the process that holds them."""


def sync_folder(path: str) -> bool:
    """Make changes of names in a folder durable. Blocking. Raises OSError.

    Returns False if the file system cannot do that: then a power cut may lose names, but a kill does not.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        # The folder can be entered but not read, like /var/lib/private and shared spools: only sync(2) helps.
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
    """Return the warning about folders that sync_folder() cannot make durable."""
    named = ", ".join(visible(folder, 4096) for folder in folders[:3])
    more = f" and {len(folders) - 3} more places" if len(folders) > 3 else ""
    return (
        f"{named}{more}: the file system cannot fsync folders; nothing is lost if the program is killed, but a power"
        " cut may lose mail"
    )


def nearest_folder(path: str) -> str:
    """Return the path, or the nearest folder above it that exists. Blocking."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def lock(descriptor: int) -> None:
    """Lock an open file until it is closed or the process dies, without waiting.

    Raises BlockingIOError if another process holds the lock, NoLocksError, OSError. Without flock(2) it is an open file
    description lock. The classic locks of fcntl(2) cannot be used: they end when the process closes any descriptor of
    the file.
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
    """Test whether a file can have the classic locks, which SQLite uses. Raises NoLocksError, OSError."""
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
    """Test whether this number of octets can be written into a folder. Blocking. Raises OSError if not.

    The reported free space is only a hint (btrfs may report 0). If it is too small, a file without a name is written,
    and that decides.
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
    """Return the total and the free octets of a file system; infinite if it does not report them."""
    try:
        space = os.statvfs(folder)
    except (OSError, AttributeError):  # some systems have no such function
        return inf, inf
    if not space.f_blocks:
        return inf, inf
    free = space.f_bfree if os.geteuid() == 0 else space.f_bavail
    return space.f_blocks * space.f_frsize, free * space.f_frsize
