"""Reading a file whole: one that could make us wait for ever, or fill the memory, is refused."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple


class NotRegularError(OSError):
    """The path leads to a pipe, a device or a socket: reading it might never end."""


class FileTooLargeError(OSError):
    """There is more in the file than a file of its kind can hold."""


class Contents(NamedTuple):
    """What is in a file, and its permissions (st_mode)."""

    data: bytes
    mode: int


def read_whole(path: str, limit: int) -> Contents:
    """Return what is in a regular file of at most `limit` octets.

    Raises NotRegularError, FileTooLargeError and other OSErrors, each with a reason in words as its strerror, and
    ValueError where `path` cannot be a path.
    """
    # Without O_NONBLOCK, opening a FIFO waits for somebody to write into it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise NotRegularError(errno.EINVAL, f"it is a {_kind(mode)}, not a regular file", path)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise FileTooLargeError(errno.EFBIG, "it is too large", path)
    return Contents(data, mode)


def _kind(mode: int) -> str:
    return "pipe" if stat.S_ISFIFO(mode) else "device"
