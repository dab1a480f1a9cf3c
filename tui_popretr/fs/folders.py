"""Folders: make private ones, make names in them durable, and test whether there is room for a message.

Some file systems cannot fsync a folder or do not report their free space. docs/file-systems.md lists them and what that
means for mail and journal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Sequence
from math import inf
from typing import Final

from tui_popretr.text import visible

#: Errors of fsync on a folder if the file system does not have it (EINVAL: CIFS and Ceph of some kernels; ENOTSUP,
#: ENOSYS: FUSE; EBADF: the folder is open for reading only). A failing disk has other errors.
_NO_FOLDER_SYNC: Final = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF))
#: The size of a test file is at most this number of octets.
_TRIAL: Final = 4 * 1024 * 1024
_PIECE: Final = bytes(64 * 1024)


def make_private_folders(folder: str, *, durable: bool) -> None:
    """Create a folder and its missing parents with mode 0700. Blocking. Raises OSError.

    `durable` (the path must be absolute then): each folder is durable before anything is created in it, even if another
    process has created it: that process may have been killed before its fsync. Only `folder` itself is not yet durable.
    """
    missing = []
    while folder and not os.path.isdir(folder) and folder != os.path.dirname(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        if durable:
            fsync_parent(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def fsync_parent(path: str) -> None:
    """Make the name of a file or folder durable. Blocking. Raises OSError."""
    fsync_folder(os.path.dirname(path))


def fsync_folder(path: str) -> bool:
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
    """Return the warning about folders that fsync_folder() cannot make durable."""
    named = ", ".join(visible(folder, 4096) for folder in folders[:3])
    more = f" and {len(folders) - 3} more" if len(folders) > 3 else ""
    return (
        f"{named}{more}: the file system cannot fsync folders; nothing is lost if the program is killed, but a power"
        " cut may lose mail"
    )


def nearest_folder(path: str) -> str:
    """Return the path, or the nearest folder above it that exists. Blocking."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def check_room(folder: str, octets: int) -> None:
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
