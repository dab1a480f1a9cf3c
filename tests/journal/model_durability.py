"""The parts of a folder tree that a power cut leaves: only synced files and names are certain to stay.

Names of files and folders are durable when the folder that holds them has been synced, contents when the file has. A
rename is done or not done, as on every file system with a journal; it never leaves a file without a name.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

#: The probability that something unsynced is lost.
_GONE = 0.7


class Durability:
    """Tracks the files below `top` by their inodes."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._folders = {top}  # durable ones
        self._names: dict[int, set[Path]] = {}  # durable ones of a file
        self._sizes: dict[int, int] = {}  # durable ones of a file
        self._spoilt: set[int] = set()  # fsync has failed: the system may have dropped what was written

    # --- what happens -------------------------------------------------------------------------------------------------

    def sync_file(self, inode: int, size: int) -> None:
        """Note a successful fsync of a file. After a failed one it proves nothing."""
        if inode not in self._spoilt:
            self._sizes[inode] = size

    def spoil(self, inode: int) -> None:
        """Note a failed fsync."""
        self._spoilt.add(inode)

    def sync_folder(self, inode: int) -> None:
        """Note a successful fsync of a folder. Folders outside `top` are ignored."""
        for folder in (self._top, *self._all(Path.is_dir)):
            if os.lstat(folder).st_ino == inode:
                self._folders.update(path for path in folder.iterdir() if path.is_dir())
                entries = _by_inode(path for path in folder.iterdir() if path.is_file())
                for number, names in entries.items():
                    self._names.setdefault(number, set()).update(names)
                for number, names in self._names.items():
                    gone = {name for name in names if name.parent == folder} - entries.get(number, set())
                    if names - gone:  # else it was renamed, and where to is not durable yet
                        names -= gone

    def have(self, path: Path) -> None:
        """Note that a file is durable as it is, under this name alone."""
        status = os.lstat(path)
        self._names[status.st_ino] = {path}
        self._sizes[status.st_ino] = status.st_size

    def have_all(self) -> None:
        """Note that everything is durable as it is, except for files whose fsync failed."""
        self._folders.update(self._all(Path.is_dir))
        for number, names in self._files().items():
            self._names[number] = names
            if number not in self._spoilt:
                self._sizes[number] = os.lstat(min(names)).st_size

    def removed(self, inode: int) -> None:
        """Forget a file without a name: its inode may be used again."""
        self._names.pop(inode, None)
        self._sizes.pop(inode, None)
        self._spoilt.discard(inode)

    # --- the power cut ------------------------------------------------------------------------------------------------

    def forget(self, dice: random.Random) -> None:
        """Remove a part of everything that was not synced."""
        before = set(self._files())
        for folder in self._all(Path.is_dir):
            if folder not in self._folders and folder.exists() and dice.random() < _GONE:
                shutil.rmtree(folder)
        for number, names in self._files().items():
            durable = self._names.get(number, set())
            size = os.lstat(min(names)).st_size
            if self._sizes.get(number) != size and dice.random() < _GONE:
                os.truncate(min(names), int(size * dice.random()))
            if durable != names and dice.random() < _GONE:
                for name in durable - names:
                    os.link(min(names), name)
                for name in names - durable:
                    os.unlink(name)
        for number in before - set(self._files()):
            self.removed(number)
        self._spoilt.clear()
        self.have_all()

    def _all(self, kind: Callable[[Path], bool]) -> list[Path]:
        return sorted(path for path in self._top.rglob("*") if kind(path))

    def _files(self) -> dict[int, set[Path]]:
        return _by_inode(self._all(Path.is_file))


def _by_inode(paths: Iterable[Path]) -> dict[int, set[Path]]:
    files: dict[int, set[Path]] = {}
    for path in paths:
        files.setdefault(os.lstat(path).st_ino, set()).add(path)
    return files
