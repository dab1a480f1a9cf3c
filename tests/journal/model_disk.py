"""A disk at which the program can be killed at any step: real files, and what of them a power cut would leave.

The program's calls into `os` that change the disk are watched, and the journal's COMMIT. fsync itself is left out, for
what it makes durable is recorded here; SQLite's own are real. A program that was killed changes nothing any more: each
of its calls raises Killed again.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.journal.model_durability import Durability
from tui_popretr import faultpoints

_open, _write, _fsync, _mkdir = os.open, os.write, os.fsync, os.mkdir
_rename, _link, _unlink = os.rename, os.link, os.unlink


class Killed(BaseException):
    """The program is killed. It must not catch this."""


class Step(Enum):
    """Steps that the program is about to do. faultpoints.Step names those that it has done."""

    MKDIR = "makes a folder"
    WRITE = "writes to a file"
    SYNC_FILE = "syncs a file"
    SYNC_FOLDER = "syncs a folder"
    COMMIT = "commits to the journal"
    NAME = "renames or links a file"
    UNLINK = "removes a file"
    AUDIT = "writes audit lines"


class Happening(Enum):
    """An event before such a step, or after it if the name says so."""

    KILL = "the process is killed"
    POWER_CUT = "the power goes"
    FAIL = "it fails"
    FAIL_AFTER = "it is done, and an error is reported"
    VISIT = "another program visits the destinations"
    STRANGER = "a stranger's file has the name"


#: The steps that can fail, and those that can succeed and be reported as failed.
FAILING = (Step.MKDIR, Step.WRITE, Step.SYNC_FILE, Step.SYNC_FOLDER, Step.COMMIT, Step.NAME, Step.AUDIT)
FAILING_AFTER = (Step.COMMIT, Step.NAME)

AnyStep = Step | faultpoints.Step

#: The contents of foreign files.
STRANGERS = b"a stranger's"


@dataclass(frozen=True, slots=True)
class Moment:
    """The `nth` time from now that the program is at `step` (None: any). `torn`: the part of a transaction to keep."""

    step: AnyStep | None
    nth: int
    happening: Happening
    torn: float = 0.0


class Disk:
    """The folder `mail` with all destinations, and the folder `var` with the journal."""

    def __init__(self, folder: Path) -> None:
        self.mail = folder / "mail"
        self.var = folder / "var"
        self._saved = folder / "var as it was"
        self._elsewhere = folder / "elsewhere"
        self.mail.mkdir()
        self._elsewhere.mkdir()
        self.var.mkdir()
        #: Whether the file system has hard links.
        self.links = True
        #: Called for a visit of another program.
        self.visit: Callable[[], None] = lambda: None
        #: Called when the program is killed.
        self.on_kill: Callable[[], object] = lambda: None
        self.dead = False
        self.power_cut = False
        self.strangers: list[Path] = []
        self._moments: list[tuple[Moment, int]] = []  # and at which count
        self._counts: dict[AnyStep | None, int] = dict.fromkeys((None, *Step, *faultpoints.Step), 0)
        self._connections: list[_Connection] = []
        self._aside = False
        self._torn = 0.0
        self._durability = Durability(self.mail)
        self._missing: set[Path] = set()  # where nothing is mounted

    # --- the program's life -------------------------------------------------------------------------------------------

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the program use this disk during the block."""
        with ExitStack() as patches:
            for name in ("open", "write", "fsync", "mkdir", "rename", "link", "unlink"):
                patches.enter_context(patch.object(os, name, getattr(self, f"_{name}")))
            patches.enter_context(patch.object(sqlite3, "connect", partial(_Connection, disk=self)))
            patches.enter_context(patch.object(faultpoints, "action", self.step))
            yield
        self._moments = []

    def arm(self, moments: list[Moment]) -> None:
        """Let these events happen from now on."""
        self._moments = [(each, self._counts[each.step] + each.nth) for each in moments]

    def step(self, step: AnyStep) -> Happening | None:
        """Note that the program is at this step. Returns the event that the step itself must cause; raises Killed."""
        if self.dead:
            raise Killed
        if self._aside:
            return None
        self._counts[step] += 1
        self._counts[None] += 1
        for each in self._moments:
            moment, at = each
            if moment.step in (step, None) and self._counts[moment.step] == at:
                self._moments.remove(each)
                return self._happen(moment, step)
        return None

    def _happen(self, moment: Moment, step: AnyStep) -> Happening | None:
        match moment.happening:
            case Happening.KILL | Happening.POWER_CUT:
                self.power_cut = moment.happening is Happening.POWER_CUT
                if step is Step.COMMIT:
                    self._torn = moment.torn
                    return Happening.KILL
                self.kill()
            case Happening.VISIT:
                with self._unwatched():
                    self.visit()
            case _:
                return moment.happening
        return None

    def kill(self) -> None:
        """End the process: the journal stays as it is at this instant."""
        self._save()
        self.die()

    def die(self) -> None:
        self.dead = True
        self.on_kill()
        raise Killed

    def bury(self, dice: random.Random) -> None:
        """End the killed process, and undo its actions after the kill."""
        for connection in self._connections:
            connection.close()
        shutil.rmtree(self.var)
        self._saved.rename(self.var)
        if self.power_cut:
            self._durability.forget(dice)
        self.dead = self.power_cut = False
        self._connections.clear()

    def _save(self) -> None:
        with self._unwatched():
            shutil.copytree(self.var, self._saved)

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        self._aside = True
        try:
            yield
        finally:
            self._aside = False

    # --- the journal --------------------------------------------------------------------------------------------------

    def commit(self, path: str, do: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Commit. A kill may leave a part of the write-ahead log."""
        match self.step(Step.COMMIT):
            case Happening.KILL:
                log = Path(f"{path}-wal")
                before = log.read_bytes() if log.exists() else b""
                do()
                after = log.read_bytes() if log.exists() else b""
                same = len(os.path.commonprefix([before, after]))  # noqa: RUF071 - octets, no paths
                reached = same + int((len(after) - same) * self._torn)
                self._save()
                (self._saved / log.name).write_bytes(after[:reached] + before[reached:])
                self.die()
            case Happening.FAIL:
                raise sqlite3.OperationalError("disk I/O error")
            case Happening.FAIL_AFTER:
                do()
                raise sqlite3.OperationalError("disk I/O error")
        return do()

    # --- what the program calls ---------------------------------------------------------------------------------------

    def _open(self, path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if self.dead and flags & os.O_CREAT:
            raise Killed
        return _open(path, flags, *arguments, **options)

    def _write(self, descriptor: int, data: Any) -> int:
        self._may_fail(Step.WRITE, errno.ENOSPC)
        return _write(descriptor, data[: max(100, len(data) // 2)])

    def _mkdir(self, path: str, mode: int = 0o777) -> None:
        self._may_fail(Step.MKDIR, errno.ENOSPC)
        if Path(path) in self._missing:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        _mkdir(path, mode)

    def _rename(self, old: str, new: str) -> None:
        replaced = os.lstat(new).st_ino if os.path.lexists(new) else None
        self._name(_rename, old, new)
        if replaced is not None:
            self._durability.removed(replaced)

    def _link(self, old: str, new: str, **options: Any) -> None:
        if not self.links:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        self._name(partial(_link, **options), old, new)

    def _name(self, do: Callable[[str, str], None], old: str, new: str) -> None:
        happening = self.step(Step.NAME)
        # No other program makes files of these names, or writes into an empty one of ours just before it is replaced.
        if happening is Happening.STRANGER and new.endswith(".eml") and not os.path.lexists(new):
            Path(new).write_bytes(STRANGERS)
            self.strangers.append(Path(new))
            self._durability.have(Path(new))
        elif happening is Happening.FAIL:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        do(old, new)
        if happening is Happening.FAIL_AFTER:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _unlink(self, path: str) -> None:
        self.step(Step.UNLINK)
        self.remove(Path(path))

    def _fsync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self._may_fail(Step.SYNC_FOLDER, errno.EIO)
            self._durability.sync_folder(status.st_ino)
            return
        try:
            self._may_fail(Step.SYNC_FILE, errno.EIO)
        except OSError:
            self._durability.spoil(status.st_ino)
            raise
        self._durability.sync_file(status.st_ino, status.st_size)

    def _may_fail(self, step: Step, number: int) -> None:
        if self.step(step) is Happening.FAIL:
            raise OSError(number, os.strerror(number))

    # --- what others do: durable at once ------------------------------------------------------------------------------

    def remove(self, path: Path) -> None:
        """Remove a name of a file. If it has another, a power cut may bring the name back."""
        status = os.lstat(path)
        _unlink(path)
        if status.st_nlink == 1:
            self._durability.removed(status.st_ino)

    def move(self, old: Path, new: Path) -> None:
        """Rename a file as a mail reader does."""
        _rename(old, new)
        self._durability.have(new)

    def mount(self, path: Path, *, away: bool) -> None:
        """Unmount or mount the file system at `path`. While it is unmounted, the program may create nothing there."""
        self._durability.have_all()
        kept = self._elsewhere / path.name
        if away:
            _rename(path, kept)
            self._missing.add(path)
        else:
            _rename(kept, path)
            self._missing.discard(path)


class _Connection(sqlite3.Connection):
    """A connection to the journal whose COMMIT the disk can stop."""

    def __init__(self, path: str, *arguments: Any, disk: Disk, **options: Any) -> None:
        super().__init__(path, *arguments, **options)
        self._path = path
        self._disk = disk
        self._failed = False
        disk._connections.append(self)

    def execute(self, statement: str, /, *arguments: Any) -> sqlite3.Cursor:
        if self._disk.dead:
            raise Killed
        do = partial(super().execute, statement, *arguments)
        if statement != "COMMIT":
            return do()
        assert not self._failed, "an fsync may claim success when it is repeated"
        try:
            return self._disk.commit(self._path, do)
        except sqlite3.OperationalError:
            self._failed = True
            raise
