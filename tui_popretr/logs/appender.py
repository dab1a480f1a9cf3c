"""The file of a log: opened for appending, written in whole lines."""

from __future__ import annotations

import os
import stat
from typing import Final

from tui_popretr.fs.folders import make_private_folders
from tui_popretr.logs.naming import number_of, numbered
from tui_popretr.logs.stream import LogStream, is_stream

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


class Appender:
    """Appends lines to a descriptor. Several appenders, also of several processes, may share one file.

    `size` is the size of the file in octets after the last write of this object.
    """

    __slots__ = ("_counts_links", "_descriptor", "_has_name", "_owned", "_path", "size")

    #: The number of lines that write() has accepted but not written: none.
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
        """Write `lines`, in one call if the system accepts them all, and empty the buffer.

        Raises OSError; `lines` then begins with the first line that is not completely written.
        """
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._descriptor, lines[written:])
        finally:
            # After an error a file is reopened, which ends the incomplete line. A standard stream continues.
            del lines[: lines.rfind(b"\n", 0, written) + 1 if self._owned else written]
        self.size = os.fstat(self._descriptor).st_size

    def removed(self) -> bool:
        """Return whether the file has no name left, so that new lines would be lost."""
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

    def drain(self) -> None:
        """Do nothing: no lines wait."""

    def close(self) -> None:
        """Close the file; a standard stream of the process stays open. It is closed even if this raises OSError."""
        if self._owned:
            self._owned = False  # closed only once: its number may be another file soon
            os.close(self._descriptor)


def open_log(path: str) -> Appender | LogStream:
    """Open `path`; create it with mode 0600 and its missing folders with 0700. Raises OSError.

    If a full disk or a power cut has left the last line incomplete, a newline is added.
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
    """Return a writer for standard output or standard error, which may be a file. Raises OSError."""
    return (LogStream if is_stream(descriptor) else Appender)(descriptor, owned=False)


def with_room(first: str, limit: int, octets: int) -> str:
    """Return the one of `first`, `first.1`, `first.2` ... to write to: the newest, or the next if the newest is full.

    A file is full if `octets` more would make it larger than `limit`. The newest has the highest number, so that old
    files can be removed.
    """
    folder, name = os.path.split(first)
    try:
        numbers = [number for entry in os.listdir(folder or ".") if (number := number_of(entry, name)) is not None]
        if not numbers:
            return first
        newest = numbered(first, max(numbers))
        return newest if os.stat(newest).st_size + octets <= limit else numbered(first, max(numbers) + 1)
    except OSError:
        return first  # opening it will raise the error
