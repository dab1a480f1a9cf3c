"""Tests the file systems for mail and journal with private temporary files.

docs/file-systems.md explains each result.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator

from tui_popretr.config.model import Destination, FolderDestination, MaildirDestination
from tui_popretr.errors import file_unusable
from tui_popretr.fs.folders import fsync_folder, nearest_folder, unsafe_at_power_cuts
from tui_popretr.fs.locks import NoLocksError, check_classic_lock, lock
from tui_popretr.text import visible


def of_destination(destination: Destination) -> list[str]:
    """Return warnings about the file systems of a destination. Blocking."""
    match destination:
        case MaildirDestination(path):
            tmp = os.path.join(path, "tmp")
            return _try((_power_cuts, _crossing) if os.path.isdir(tmp) else (_power_cuts,), tmp)
        case FolderDestination(path):
            return of_folder(path)
    return []


def of_folder(path: str) -> list[str]:
    """Return warnings about the file system of a folder with one file per message. Blocking."""
    return _try((_power_cuts, _links), path)


def of_journal(path: str) -> list[str]:
    """Return warnings about the file system of the journal, which is not opened. Blocking."""
    return _try((_power_cuts, _locks, _shared_memory), os.path.dirname(path))


def _try(trials: Iterable[Callable[[str], Iterable[str]]], place: str) -> list[str]:
    """Run these tests in a folder, or in the nearest existing one."""
    folder = nearest_folder(place)
    lines: list[str] = []
    try:
        for trial in trials:
            lines += trial(folder)
    except OSError as error:
        lines.append(f"{_name(folder)} cannot be tested: {file_unusable(error).words}")
    return lines


def _power_cuts(folder: str) -> Iterator[str]:
    if not fsync_folder(folder):
        yield unsafe_at_power_cuts([folder])


def _crossing(tmp: str) -> Iterator[str]:
    new = os.path.join(os.path.dirname(tmp), "new")
    if not os.path.isdir(new):
        return
    with _private_file(tmp) as (_, path):
        moved = os.path.join(new, os.path.basename(path))
        try:
            os.rename(path, moved)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            yield (
                f"{_name(tmp)} and {_name(new)} are on two file systems: no message can be moved from one to the other"
            )
        else:
            os.unlink(moved)


def _links(folder: str) -> Iterator[str]:
    with _private_file(folder) as (_, path):
        other = f"{path}.link"
        try:
            os.link(path, other, follow_symlinks=False)
        except (OSError, AttributeError, NotImplementedError):
            yield (
                f"the file system of {_name(folder)} has no hard links: "
                "the file of a message exists, empty, for a moment before the message replaces it"
            )
        else:
            os.unlink(other)


def _locks(folder: str) -> Iterator[str]:
    with _private_file(folder) as (descriptor, path), contextlib.closing(open(path, "r+b")) as second:
        try:
            lock(descriptor)
            with contextlib.suppress(BlockingIOError):
                lock(second.fileno())
                raise NoLocksError(errno.ENOLCK, "two processes can have the lock")
            check_classic_lock(descriptor)
        except (NoLocksError, BlockingIOError):
            yield (
                f"the journal cannot be kept in {_name(folder)}: its file system has no file locks that work; "
                "name a file on a local disk in <journal>"
            )


def _shared_memory(folder: str) -> Iterator[str]:
    with _private_file(folder) as (descriptor, _):
        os.write(descriptor, b"x")
        try:
            mmap.mmap(descriptor, 1).close()
        except OSError:
            yield (
                f"the file system of {_name(folder)} has no shared memory: the journal works without it, "
                "but other programs may not be able to read it"
            )


@contextlib.contextmanager
def _private_file(folder: str) -> Iterator[tuple[int, str]]:
    """A file that mail readers ignore. At the end it is closed, and removed unless it was moved."""
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=".tui-popretr-", suffix=".part")
    try:
        yield descriptor, path
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _name(path: str) -> str:
    return visible(path, 4096)
