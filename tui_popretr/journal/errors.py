"""Errors of SQLite and the system as JournalError: texts that name the file and say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from typing import Final

from tui_popretr.errors import (
    BROKEN_DISK,
    DISK_FULL,
    NO_PERMISSION,
    READ_ONLY,
    RETRIED,
    FileUnusable,
    JournalDamaged,
    JournalError,
    JournalLocked,
    JournalMisplaced,
    describe_os_error,
    file_unusable,
)
from tui_popretr.fs.folders import check_room
from tui_popretr.fs.locks import NoLocksError, check_classic_lock
from tui_popretr.fs.reading import NotRegularError

#: Octets that a transaction may need. A disk with less free space counts as full.
LEAST_ROOM: Final = 64 * 1024
_DAMAGE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT))
_REFUSED: Final = FileUnusable(
    BROKEN_DISK.words, "look into the system's log: the disk may be failing, or its quota be used up"
)
_BUSY: Final = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_NO_LOCKS: Final = FileUnusable(
    "its file system has no file locks that work", "name a file on a local disk in <journal> (docs/file-systems.md)"
)


def damaged(path: str, what: str) -> JournalDamaged:
    """Return the error for a journal that must not be used. The file stays where it is (docs/durability.md)."""
    return JournalDamaged(
        f"the journal {path} {what}; nothing was retrieved or deleted",
        advice=f"restore it from a backup (stop the program first), or, to begin a new one, move {path}, {path}-wal "
        f"and {path}-shm away: what is still on the servers is then retrieved again",
    )


def explain(error: sqlite3.Error | OSError, path: str, doing: str) -> JournalError:
    """Return the error to raise for an error of SQLite or the system. `doing` as in "the journal cannot be DOING"."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE:
        return damaged(path, f"is damaged: {error}")
    if code in _BUSY and not _lacks_locks(os.path.dirname(path)):
        return JournalLocked(
            f"the journal {path} cannot be {doing}: another program has locked it",
            advice=f"close the program that has it open, such as a database browser; {RETRIED}",
        )
    if isinstance(error, NoLocksError):
        trouble = _NO_LOCKS
    elif isinstance(error, NotRegularError):
        trouble = FileUnusable(describe_os_error(error), "name another file in <journal>", True)
    elif isinstance(error, OSError):
        trouble = file_unusable(error)
    else:
        trouble = _trouble(error, code, os.path.dirname(path))
    kind = JournalMisplaced if trouble.misplaced else JournalError
    advice = "until then nothing is retrieved and nothing is deleted"
    if trouble.advice:
        advice = f"{trouble.advice}; {advice}"
    return kind(f"the journal {path} cannot be {doing}: {trouble.words}", advice=advice)


def _trouble(error: sqlite3.Error, code: int, folder: str) -> FileUnusable:
    """Return the cause. SQLite does not pass on the system's error, so the file system is examined."""
    match code:
        case sqlite3.SQLITE_FULL:
            return DISK_FULL
        case sqlite3.SQLITE_READONLY:
            return _found(folder) or NO_PERMISSION
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return _NO_LOCKS
        case sqlite3.SQLITE_IOERR:
            return _found(folder) or (_NO_LOCKS if _lacks_locks(folder) else _REFUSED)
        case sqlite3.SQLITE_CANTOPEN:
            return _found(folder) or FileUnusable(str(error))
    return FileUnusable(str(error))


def _lacks_locks(folder: str) -> bool:
    """Whether files cannot be locked there. SQLite reports that as a lock of another program, or as an I/O error."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".tui-popretr-") as file:
            check_classic_lock(file.fileno())
    except NoLocksError:
        return True
    except OSError:
        pass
    return False


def _found(folder: str) -> FileUnusable | None:
    """Return what is wrong with a folder's file system, None if nothing is visible."""
    if not os.path.exists(folder):
        return FileUnusable(f"the folder {folder} is gone", "is its disk mounted?")
    with contextlib.suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return READ_ONLY
    if not os.access(folder, os.W_OK | os.X_OK):
        return NO_PERMISSION
    try:
        check_room(folder, LEAST_ROOM)
    except OSError as error:
        return file_unusable(error) if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
    return None
