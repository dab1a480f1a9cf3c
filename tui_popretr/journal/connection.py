"""The journal's SQLite file: its lock, its transactions, and when it is broken."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Final, Self

from tui_popretr import faultpoints
from tui_popretr.errors import JournalError
from tui_popretr.faultpoints import Step
from tui_popretr.fs.folders import check_room, make_private_folders
from tui_popretr.fs.reading import refuse_irregular
from tui_popretr.journal import lock, schema
from tui_popretr.journal.errors import LEAST_ROOM, damaged, explain
from tui_popretr.journal.ids import MessageIds
from tui_popretr.text import visible


class JournalConnection:
    """The part of Journal that does not depend on the tables. open() makes it; close() releases the file."""

    def __init__(self, path: str, connection: sqlite3.Connection, lock_descriptor: int, ids: MessageIds) -> None:
        self.path: Final = path
        #: A write failed, so the content on disk is unknown. Nothing more is written until the journal is reopened.
        self.broken = False
        self._failure: JournalError | None = None  # why it is broken
        self._in_transaction = False
        self._file = os.stat(path)
        self._connection = connection
        self._lock_descriptor = lock_descriptor
        row = connection.execute("SELECT id, last_message FROM journal").fetchone()
        #: 8 random hex digits, made with the file. They are in the names of delivered files (delivery/names.py).
        self.id: Final[str] = row[0]
        highest = connection.execute("SELECT max(id) FROM message").fetchone()[0]
        self._ids = ids
        self._ids.skip(max(row[1], highest or 0))

    @classmethod
    def open(cls, path: str, *, make: bool = True, ids: MessageIds | None = None) -> Self:
        """Open the journal and lock it against other processes. It is made on first use (0600, its folders 0700).

        `ids` is the counter of this process, if it has opened the journal before.
        Without `make` a missing journal is JournalDamaged: a new one would not have the records of this process.
        Raises JournalLocked, JournalDamaged, JournalFromFuture, and JournalError for errors of the system. A journal
        that cannot be used is not changed.
        """
        path = os.path.realpath(path)
        try:
            with contextlib.ExitStack() as undo:
                refuse_irregular(path)
                make_private_folders(os.path.dirname(path), durable=True)
                lock_descriptor = lock.acquire(path)
                undo.callback(os.close, lock_descriptor)
                if not os.path.exists(path):
                    if not make:
                        raise damaged(path, "is gone")
                    schema.create(path)
                schema.check_before_opening(path)
                check_room(os.path.dirname(path), LEAST_ROOM)  # else nothing could be recorded
                connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                undo.callback(connection.close)
                schema.use_no_shared_memory(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                schema.check_opened(connection, path)
                schema.upgrade(connection)
                journal = cls(path, connection, lock_descriptor, ids or MessageIds())
                undo.pop_all()
                return journal
        except (OSError, sqlite3.Error) as error:
            raise explain(error, path, "opened") from error

    def close(self) -> None:
        """Close and unlock. May be called again. Never raises."""
        if self._lock_descriptor < 0:
            return
        self.broken = True
        try:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        finally:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    def next_id(self) -> int:
        """Return an id that no message of this journal has or had. From any thread. Unused ids are only gaps."""
        return self._ids.next()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of all writes inside. They are durable when it ends.

        Raises JournalError at the end if they may not be durable, or if a write inside has broken the journal. Nothing
        that was written or read inside may then be relied upon.
        """
        self._in_transaction = True
        try:
            yield
            self._refuse_if_broken()
            if self._connection.in_transaction:
                with self._poison_on_error():
                    faultpoints.reached(Step.IN_TRANSACTION)
                    self._connection.execute("COMMIT")
        finally:
            self._in_transaction = False
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()

    @contextlib.contextmanager
    def without_fsync(self) -> Iterator[None]:
        """In this block a transaction survives the end of the process, but maybe not a power failure.

        Raises JournalError. The next transaction outside makes it durable.
        """
        self._set_synchronous("NORMAL")
        try:
            yield
        finally:
            if not self.broken:
                self._set_synchronous("FULL")

    def _set_synchronous(self, level: str) -> None:
        with self._poison_on_error():
            self._connection.execute(f"PRAGMA synchronous = {level}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, or a part of the one that transaction() has begun."""
        if not self._in_transaction:
            with self.transaction(), self._writing() as connection:
                yield connection
            return
        self._refuse_if_broken()
        with self._poison_on_error():
            if not self._connection.in_transaction:
                self._look_for_file()
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("SAVEPOINT part")
            try:
                yield self._connection
            except (OverflowError, ValueError) as error:  # a value that no column can hold: undo this part only
                self._connection.execute("ROLLBACK TO part")
                raise JournalError(f"the journal {self.path} cannot hold a value: {visible(str(error))}") from error
            self._connection.execute("RELEASE part")

    def _refuse_if_broken(self) -> None:
        if self._failure is not None:  # report the same reason again
            raise type(self._failure)(str(self._failure), advice=self._failure.advice)
        if self.broken:
            raise JournalError(f"the journal {self.path} was given up after an error; it must be reopened first")

    @contextlib.contextmanager
    def _poison_on_error(self) -> Iterator[None]:
        """Mark the journal as broken after an error."""
        try:
            yield
        except JournalError:
            raise
        except BaseException as error:
            # After an error in COMMIT the transaction may be on disk or not, and a second fsync may report success
            # for lost data. Only reopening the file shows what it has.
            self.broken = True
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if isinstance(error, sqlite3.Error):
                self._failure = explain(error, self.path, "written")
                raise self._failure from error
            raise

    def _look_for_file(self) -> None:
        """Check that the path still leads to the open file. SQLite would also write to a file that was deleted."""
        try:
            there = os.path.samestat(os.stat(self.path), self._file)
        except FileNotFoundError:
            there = False
        except OSError as error:
            raise explain(error, self.path, "written") from error
        if not there:
            self.broken = True
            self._failure = damaged(self.path, "was removed or replaced while it was in use")
            raise self._failure

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self.path, "read") from error
