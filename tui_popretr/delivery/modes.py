"""Permissions of new files and folders: as configured, independent of the umask."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

from tui_popretr.errors import CannotCreate

_REFUSED: Final = frozenset((errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))


def set_mode(descriptor: int, mode: int) -> os.stat_result:
    """Set the permissions of an open file or folder that was just created; return its earlier status.

    A setgid bit that a folder has inherited is kept: without it, mail in a shared folder would get another group. File
    systems without permissions (FAT, many network shares) keep those of the mount.
    Raises OSError, and CannotCreate if only the setgid bit is forbidden.
    """
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        mode |= status.st_mode & stat.S_ISGID
    if stat.S_IMODE(status.st_mode) != mode and not _change(descriptor, mode) and mode & stat.S_ISGID:
        _explain_setgid(descriptor, mode)
    return status


def _change(descriptor: int, mode: int) -> bool:
    """Set the mode; return whether that was allowed."""
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True


def _explain_setgid(descriptor: int, mode: int) -> None:
    with contextlib.suppress(OSError):
        if _change(descriptor, mode & ~stat.S_ISGID):
            raise CannotCreate(
                f"foldermode 0{mode:o} needs the setgid bit, which this process may not set",
                advice="under systemd set RestrictSUIDSGID=no; or create the folders yourself: their mode is kept",
            )
