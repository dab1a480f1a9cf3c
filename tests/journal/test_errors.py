"""What the errors of SQLite and of the system become: the file, the reason, what to do, and the exit code."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tui_popretr.errors import ExitCode, JournalDamaged, JournalLocked
from tui_popretr.journal.errors import explain

UNTIL_THEN = "until then nothing is retrieved and nothing is deleted"


def from_sqlite(code: int, words: str = "SQLite's own words") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "words", "advice", "code"),
    [
        (from_sqlite(sqlite3.SQLITE_FULL), "the disk is full", "make room on the disk", ExitCode.IO_ERROR),
        (
            from_sqlite(sqlite3.SQLITE_IOERR_FSYNC),
            "the disk reports an input/output error",
            "look into the system's log: the disk may be failing, or its quota be used up",
            ExitCode.IO_ERROR,
        ),
        (
            from_sqlite(sqlite3.SQLITE_READONLY),
            "permission denied",
            "give the program's user the right to write there",
            ExitCode.CANT_CREATE,
        ),
        (from_sqlite(sqlite3.SQLITE_CANTOPEN), "SQLite's own words", UNTIL_THEN, ExitCode.IO_ERROR),
        (from_sqlite(sqlite3.SQLITE_ERROR, "no such table"), "no such table", UNTIL_THEN, ExitCode.IO_ERROR),
        (OSError(errno.ENOSPC, ""), "the disk is full", "make room on the disk", ExitCode.IO_ERROR),
        (OSError(errno.EDQUOT, ""), "the disk quota is used up", "make room or raise the quota", ExitCode.IO_ERROR),
        (OSError(errno.EROFS, ""), "the file system is read-only", "mount it writable", ExitCode.CANT_CREATE),
        (OSError(errno.ESTALE, "Stale file handle"), "stale file handle", UNTIL_THEN, ExitCode.IO_ERROR),
    ],
)
def test_words(tmp_path: Path, error: OSError | sqlite3.Error, words: str, advice: str, code: ExitCode) -> None:
    path = str(tmp_path / "popretr.sqlite")
    told = explain(error, path, "written")
    assert str(told) == f"the journal {path} cannot be written: {words}"
    assert told.advice.startswith(advice)
    assert told.advice.endswith(UNTIL_THEN)
    assert told.exit_code is code


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_a_folder_that_is_gone(tmp_path: Path, code: int) -> None:
    told = explain(from_sqlite(code), str(tmp_path / "gone" / "popretr.sqlite"), "written")
    assert str(told).endswith(f"cannot be written: the folder {tmp_path}/gone is gone")
    assert told.advice == f"is its disk mounted?; {UNTIL_THEN}"


@pytest.mark.parametrize(
    ("free", "flags", "words"),
    [(1_000_000, os.ST_RDONLY, "the file system is read-only"), (2, 0, "the disk is full")],
)
def test_what_sqlite_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, flags: int, words: str
) -> None:
    """The file system is asked."""
    found = os.statvfs_result((4096, 4096, 10, free, free, 1000, 1000, 1000, flags, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: found)
    for code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        told = explain(from_sqlite(code), f"{tmp_path}/popretr.sqlite", "opened")
        assert str(told).endswith(f"cannot be opened: {words}")


def says_nothing_is_free(path: str) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 1_000_000, 0, 0, 1000, 1000, 1000, 0, 255))


def does_not_know(path: str) -> os.statvfs_result:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.mark.parametrize("statvfs", [says_nothing_is_free, does_not_know])
def test_free_space_is_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statvfs: Callable[[str], os.statvfs_result]
) -> None:
    monkeypatch.setattr(os, "statvfs", statvfs)
    told = explain(from_sqlite(sqlite3.SQLITE_IOERR_FSYNC), f"{tmp_path}/popretr.sqlite", "opened")
    assert str(told).endswith("cannot be opened: the disk reports an input/output error")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_LOCKED])
def test_another_program_has_locked_it(code: int) -> None:
    told = explain(from_sqlite(code), "/var/j", "written")
    assert isinstance(told, JournalLocked)
    assert str(told) == "the journal /var/j cannot be written: another program has locked it"
    assert told.exit_code is ExitCode.TEMPORARY
    assert "close the program" in told.advice


def test_damage() -> None:
    told = explain(from_sqlite(sqlite3.SQLITE_CORRUPT, "malformed"), "/var/j", "read")
    assert isinstance(told, JournalDamaged)
    assert str(told) == "the journal /var/j is damaged: malformed; nothing was retrieved or deleted"
    assert "restore it from a backup" in told.advice
