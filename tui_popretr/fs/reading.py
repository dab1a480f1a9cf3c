"""Read regular files with a bound, so that no pipe or device blocks the reader and no file fills the memory."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from typing import NamedTuple


class NotRegularError(OSError):
    """The file is a pipe, a device or a socket: reading it might never end."""


class FileTooLargeError(OSError):
    """The file is larger than any file of its kind."""


class Contents(NamedTuple):
    """The content of a file and its st_mode."""

    data: bytes
    mode: int


def refuse_irregular(path: str) -> None:
    """Raise NotRegularError if a path is a pipe, a device or a socket; it need not exist. Raises OSError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise NotRegularError(errno.EINVAL, f"it is a {_kind(mode)}, not a regular file", path)


def open_regular(path: str) -> BufferedReader:
    """Open a regular file for reading, without blocking.

    Raises NotRegularError, other OSErrors, and ValueError if `path` contains NUL.
    """
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # open() refuses folders
            raise NotRegularError(errno.EINVAL, f"it is a {_kind(mode)}, not a regular file", path)
        return open(descriptor, "rb")
    except OSError as error:
        os.close(descriptor)
        error.filename = path
        raise


def read_whole(path: str, limit: int) -> Contents:
    """Return the content of a regular file of at most `limit` octets.

    Raises NotRegularError, FileTooLargeError and other OSErrors, each with a text as its strerror, and ValueError if
    `path` contains NUL.
    """
    with open_regular(path) as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read(limit + 1)
    if len(data) > limit:
        raise FileTooLargeError(errno.EFBIG, "it is too large", path)
    return Contents(data, mode)


def _kind(mode: int) -> str:
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
