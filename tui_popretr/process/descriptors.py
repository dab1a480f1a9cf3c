"""Descriptors 0 to 2: always open, and written completely even if they are non-blocking.

`2>&-` starts a program with descriptor 2 closed. The next file, socket or epoll instance would get that number, and
everything printed to standard error would go there.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD: Final = (0, 1, 2)


def occupy() -> None:
    """Open /dev/null on those of descriptors 0 to 2 that are closed. Must be called before anything else is opened.

    The streams that Python has set to None in `sys` are created for them. Children inherit the descriptors.
    """
    closed = [number for number in _STANDARD if not _is_open(number)]
    for number in closed:
        _open_nothing(number)
    if 0 in closed:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
    if 1 in closed:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if 2 in closed:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _open_nothing(number: int) -> None:
    try:
        found = os.open(os.devnull, os.O_RDWR)
    except OSError:  # a chroot without /dev: writes fail, but go nowhere else
        found = os.open("/", os.O_RDONLY)
    if found == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(found, number)
        os.close(found)


def write(descriptor: int, data: ReadableBuffer) -> int:
    """Write at least one octet, waiting if the descriptor is non-blocking; return how many. Raises OSError.

    O_NONBLOCK belongs to the open file: any program that shares a terminal or pipe can set it at any time.
    """
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()


def wait_for_readers() -> None:
    """Make `sys.stdout` and `sys.stderr` wait for a slow reader, also with non-blocking descriptors.

    Characters that their encoding lacks are escaped. A replaced stream, as in a test, is not changed.
    """
    sys.stdout = _waiting(sys.stdout, 1)
    sys.stderr = _waiting(sys.stderr, 2)


def _waiting(stream: TextIO, descriptor: int) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    buffered = isinstance(stream.buffer, io.BufferedWriter)
    if stream.fileno() != descriptor or not (buffered or isinstance(stream.buffer, io.FileIO)):
        return stream
    stream.flush()
    raw = _WaitingFile(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if buffered else raw,  # as Python's own with PYTHONUNBUFFERED
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _WaitingFile(io.FileIO):
    """A file whose write() writes everything, also with O_NONBLOCK."""

    def write(self, data: ReadableBuffer, /) -> int:
        rest = memoryview(data).cast("B")
        total = len(rest)
        while rest:
            rest = rest[write(self.fileno(), rest) :]
        return total
