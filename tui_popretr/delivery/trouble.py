"""What the system's errors mean for a delivery, in words that name the path and say what to do."""

from __future__ import annotations

import errno
from typing import Final

from tui_popretr.errors import CannotCreate, DeliveryFailed, describe_os_error

_WORDS: Final = {
    errno.ENOSPC: ("the disk is full", "make room on the disk; it is tried again at the next run"),
    errno.EDQUOT: ("the disk quota is used up", "make room or raise the quota; it is tried again at the next run"),
    errno.EROFS: ("the file system is read-only", "mount it writable, and look why it is not"),
    errno.EACCES: ("permission denied", "give the program's user the right to write there"),
    errno.EPERM: ("permission denied", "give the program's user the right to write there"),
    errno.ENOTDIR: ("a part of the path is not a folder", "move the file away that stands in the folder's place"),
    errno.EEXIST: ("there is something of that name already", ""),
    errno.ENOENT: ("it does not exist", ""),
    errno.ELOOP: ("a symbolic link stands in the way", ""),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter path"),
    errno.EIO: ("the disk reports an input/output error", "look into the system's log: the disk may be failing"),
    errno.EFBIG: ("the file is larger than the system allows", ""),
    errno.EMFILE: ("too many open files", "raise the limit of open files (ulimit -n)"),
    errno.ENFILE: ("too many open files in the whole system", ""),
}
#: The place is wrong rather than the moment: exit code 73 instead of 74.
_CANNOT_CREATE: Final = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG)
)


def delivery_failed(error: OSError, doing: str, path: str) -> DeliveryFailed:
    """Return the error to raise: CannotCreate or DeliveryFailed. `doing` as in "cannot DOING PATH"."""
    words, advice = _WORDS.get(error.errno or 0, (describe_os_error(error), ""))
    kind = CannotCreate if error.errno in _CANNOT_CREATE else DeliveryFailed
    return kind(f"cannot {doing} {path}: {words}", advice=advice)
