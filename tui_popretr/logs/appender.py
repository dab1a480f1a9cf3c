"""The file under a log: opened for appending, written in whole lines."""

from __future__ import annotations

import os
import stat
from typing import Final

from tui_popretr.fs.folders import make_private_folders
from tui_popretr.logs.naming import number_of, numbered
from tui_popretr.logs.stream import LogStream, is_stream

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


class Appender:
    """A descriptor at whose end lines are added; several, in several processes, may share one file.

    `size` is the file's, in octets, as of the last write through this object.
    """

    __slots__ = ("_counts_links", "_descriptor", "_has_name", "_owned", "_path", "size")

    #: Lines that write() has taken over and that are not with the system.
    waiting: Final = 0

    def __init__(self, descriptor: int, *, owned: bool, path: str | None = None) -> None:
        """`path` is the file's name, for lost()."""
        self._descriptor = descriptor
        self._owned = owned
        self._path = path and os.path.abspath(path)
        status = os.fstat(descriptor)
        self.size = status.st_size
        # Some network and FUSE file systems do not count links, or report another inode number each time.
        self._counts_links = path is not None and status.st_nlink > 0
        self._has_name = path is not None and self._is_at(path)

    def write(self, lines: bytearray) -> None:
        """Hand `lines` to the system, all in one write where it takes them, and empty it.

        Raises OSError; `lines` then begins with the first line that is not wholly written.
        """
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._descriptor, lines[written:])
        finally:
            # a file is opened again after an error, which ends the torn line; a stream just goes on
            del lines[: lines.rfind(b"\n", 0, written) + 1 if self._owned else written]
        self.size = os.fstat(self._descriptor).st_size

    def removed(self) -> bool:
        """Return whether the file has no name any more, so that written lines would be lost."""
        return self._counts_links and os.fstat(self._descriptor).st_nlink == 0

    def lost(self) -> bool:
        """Return whether the file has been removed or renamed, or another file has its name."""
        return self.removed() or (self._has_name and self._path is not None and not self._is_at(self._path))

    def _is_at(self, path: str) -> bool:
        own = os.fstat(self._descriptor)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # unknown: assume that it is there
            return True
        return os.path.samestat(own, found)

    def settle(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Close the file; a standard stream of the process stays open. Raises OSError, and is closed all the same."""
        if self._owned:
            self._owned = False  # a number that is closed twice may be somebody else's file by then
            os.close(self._descriptor)


def open_log(path: str) -> Appender | LogStream:
    """Open `path`, made with mode 0600 and its missing folders with 0700. Raises OSError.

    A line that a full disk or a power cut left unfinished is ended, so that the next one begins a line of its own.
    """
    make_private_folders(os.path.dirname(path), durable=False)
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        if is_stream(descriptor):
            return LogStream(descriptor, owned=True)
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
            os.write(descriptor, b"\n")
        return Appender(descriptor, owned=True, path=path)
    except OSError:
        os.close(descriptor)
        raise


def standard_stream(descriptor: int) -> Appender | LogStream:
    """Return what writes to standard output or standard error, which may be a file. Raises OSError."""
    return (LogStream if is_stream(descriptor) else Appender)(descriptor, owned=False)


def with_room(first: str, limit: int, octets: int) -> str:
    """Return which of `first`, `first.1`, `first.2` ... is to be written: the newest, or the next where it is full.

    It is full when `octets` more would make it larger than `limit`. The newest is the one with the highest number, so
    that old ones can be removed.
    """
    folder, name = os.path.split(first)
    try:
        numbers = [number for entry in os.listdir(folder or ".") if (number := number_of(entry, name)) is not None]
        if not numbers:
            return first
        newest = numbered(first, max(numbers))
        return newest if os.stat(newest).st_size + octets <= limit else numbered(first, max(numbers) + 1)
    except OSError:
        return first  # whoever opens it finds out what is wrong
