"""The journal itself: what was delivered and what is owed, in one SQLite file that one process has open.

Synchronous, and one call at a time (from whatever thread); only next_id() may be called at any time from anywhere.
Every method that writes returns when the change is durable (WAL, synchronous=FULL), and raises JournalError when it may
not be; those that are called inside of transaction() become durable at its end.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from tui_popretr import faultpoints
from tui_popretr.errors import ExitCode, JournalError
from tui_popretr.faultpoints import Step
from tui_popretr.fs.folders import check_room, make_private_folders
from tui_popretr.fs.reading import refuse_irregular
from tui_popretr.journal import lock, schema
from tui_popretr.journal.errors import LEAST_ROOM, damaged, explain
from tui_popretr.journal.ids import ids_of
from tui_popretr.journal.records import (
    UNKNOWN_IDENTITY,
    Acceptance,
    CapaHistory,
    DeliveredMark,
    Doubt,
    Identity,
    JournalTotals,
    Maildrop,
    MaildropClock,
    MessageFailure,
    MessageState,
    NewRecord,
    PipeliningFailure,
    Record,
    SessionRow,
    deletion_key,
    uid_key,
)
from tui_popretr.text import visible

#: A record goes when its UID has been absent from complete listings for so long (SPEC 5).
FORGET_AFTER: Final = 90 * 24 * 3600
#: So many sessions of each client are kept for history.
KEPT_SESSIONS: Final = 1000

#: UIDs in a query; SQLite takes 999 variables in any version.
_AT_ONCE: Final = 900
_STATES = tuple(MessageState)
_DOUBTS = tuple(Doubt)
_COLUMNS = (
    "id, uid, octets, digest, whole, message_id, date, utf8, state, owed, settled, tmp, final, audit, time, doubt, born"
)
_INSERT = f"INSERT INTO message (maildrop, {_COLUMNS}) VALUES ({','.join('?' * 18)})"  # noqa: S608
_UNFINISHED = f"SELECT {_COLUMNS}, maildrop FROM message WHERE state = 1"  # noqa: S608
_RECORDS = f"SELECT {_COLUMNS} FROM message WHERE maildrop = ?"  # noqa: S608
# "state" in numbers, as the partial index needs them: 0 seen, 1 delivering, 2 delivered, 3 deleted, 4 kept, 5 skipped.
# "doubt": 0 none, 1 unproven, 2 short.
# One statement for all the messages concerned, named by _ids(): a statement a message costs twice as much.
_THESE = "id IN (SELECT value FROM json_each(?))"
_MARK_DELIVERED = (
    f"UPDATE message SET state = iif(doubt = 2, 4, 2), owed = ?, tmp = NULL, audit = NULL WHERE state = 1 AND {_THESE}"  # noqa: S608
)
_FORGET_OLDER = """
DELETE FROM message WHERE id IN (
    SELECT old.id FROM json_each(?) AS delivered
    CROSS JOIN message AS new ON new.id = delivered.value
    CROSS JOIN message AS old ON old.maildrop = new.maildrop AND old.uid = new.uid
    WHERE old.id < new.id AND old.state <> 1
)"""
_COUNT_TROUBLE = """
INSERT INTO trouble VALUES (?1, ?2, ?3, 1, ?5, ?6, ?4) ON CONFLICT (maildrop, key) DO UPDATE
SET octets = ?3, failures = failures + 1, rejections = rejections + ?5, last = ?6, reason = ?4"""
_FORGET_TROUBLE = f"""
DELETE FROM trouble WHERE (maildrop, key) IN (SELECT maildrop, 'uid:' || uid FROM message WHERE {_THESE})"""  # noqa: S608
_ACCEPT = """
INSERT INTO accepted (maildrop, uid, digest, whole, message_id, date, utf8, address, time)
SELECT maildrop, uid, digest, whole, message_id, date, utf8, ?, time FROM message WHERE id = ? AND state = 1"""
# Without a UID also what is known of identical messages: rather twice than lost.
_FORGET_ACCEPTED = f"""
DELETE FROM accepted WHERE (maildrop, coalesce(uid, digest)) IN
    (SELECT maildrop, coalesce(uid, digest) FROM message WHERE {_THESE})"""  # noqa: S608
NONE_ACCEPTED: Final[Mapping[int, Collection[str]]] = {}


class Journal:
    """The open journal. Made by Journal.open(); close() releases it for other processes."""

    def __init__(self, path: str, connection: sqlite3.Connection, lock_descriptor: int) -> None:
        self.path: Final = path
        #: True after a write failed: what is on disk is uncertain until the journal is reopened and recovered.
        self.broken = False
        self._failure: JournalError | None = None  # why it is broken
        self._together = False
        self._file = os.stat(path)
        self._connection = connection
        self._lock_descriptor = lock_descriptor
        row = connection.execute("SELECT id, last_message FROM journal").fetchone()
        #: 8 hex digits, random, made with the file: part of our file names, so that we know our own again.
        self.id: Final[str] = row[0]
        highest = connection.execute("SELECT max(id) FROM message").fetchone()[0]
        self._ids = ids_of(self.id)
        self._ids.skip(max(row[1], highest or 0))

    @classmethod
    def open(cls, path: str, *, make: bool = True) -> Journal:
        """Open the journal, made on first use (0600, its folders 0700), and lock it against other processes.

        Without `make` it must be there: a new one would know nothing of what this process has done with the old one.
        Raises JournalLocked, JournalDamaged, JournalFromFuture, and JournalError where the system refuses. A journal
        that is refused stays as it is.
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
                journal = cls(path, connection, lock_descriptor)
                undo.pop_all()
                return journal
        except (OSError, sqlite3.Error) as error:
            raise explain(error, path, "opened") from error

    def close(self) -> None:
        """Close and unlock; harmless when closed already. Never raises."""
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
        """Return an id no message of this journal has or had. Any thread, any time; unused ids are just gaps."""
        return self._ids.next()

    # --- messages ---------------------------------------------------------------------------------------------------

    def maildrop(self, key: Maildrop) -> int:
        """Return the id of a maildrop, new or known. A former key of it is replaced with this one."""
        known = self._maildrop_id(key)
        if known is not None:
            return known
        values = (key.host, key.port, key.user, key.destination)
        earlier = next((found for each in key.former() if (found := self._maildrop_id(each)) is not None), None)
        with self._writing() as connection:
            if earlier is not None:
                connection.execute(
                    "UPDATE maildrop SET host = ?, port = ?, user = ?, destination = ? WHERE id = ?", (*values, earlier)
                )
                return earlier
            cursor = connection.execute(
                "INSERT INTO maildrop (host, port, user, destination) VALUES (?, ?, ?, ?)", values
            )
            return int(cursor.lastrowid or 0)

    def _maildrop_id(self, key: Maildrop) -> int | None:
        with self._reading():
            row = self._connection.execute(
                "SELECT id FROM maildrop WHERE host = ? AND port = ? AND user = ? AND destination = ?",
                (key.host, key.port, key.user, key.destination),
            ).fetchone()
        return None if row is None else int(row[0])

    def maildrop_clock(self, maildrop: int) -> MaildropClock:
        """Return a maildrop's clock at its last session."""
        query = "SELECT seconds, boot, boottime, wall FROM maildrop WHERE id = ?"
        with self._reading():
            row = self._connection.execute(query, (maildrop,)).fetchone()
        return MaildropClock() if row is None else MaildropClock(*row)

    def set_maildrop_clock(self, maildrop: int, clock: MaildropClock) -> None:
        """Record a maildrop's clock."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE maildrop SET seconds = ?, boot = ?, boottime = ?, wall = ? WHERE id = ?", (*clock, maildrop)
            )

    def records(self, maildrop: int, *, deleted: bool = True) -> list[Record]:
        """Return all that is known of a maildrop's messages, oldest first; `deleted`: those deleted, too."""
        with self._reading():
            rows = self._connection.execute(_RECORDS if deleted else f"{_RECORDS} AND state <> 3", (maildrop,))
            records = [_record(row) for row in rows]
        records.sort(key=itemgetter(0))  # SQLite would sort all the columns along
        return records

    def deleted(self, maildrop: int, uids: Sequence[str]) -> list[Record]:
        """Return the records of deleted messages that have one of these UIDs."""
        found: list[Record] = []
        with self._reading():
            query = "SELECT EXISTS (SELECT 1 FROM message WHERE maildrop = ? AND state = 3 AND uid IS NOT NULL)"
            if not self._connection.execute(query, (maildrop,)).fetchone()[0]:
                return found
            for start in range(0, len(uids), _AT_ONCE):
                some = uids[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"{_RECORDS} AND state = 3 AND uid IN ({marks})", (maildrop, *some))
                found += [_record(row) for row in rows]
        return found

    def delivering(self) -> list[tuple[int, Record]]:
        """Return the unfinished records of all maildrops, each with its maildrop's id, oldest first."""
        with self._reading():
            unfinished = [(row[-1], _record(row[:-1])) for row in self._connection.execute(_UNFINISHED)]
        unfinished.sort(key=lambda pair: pair[1].id)  # ordered by id, SQLite would not use the index
        return unfinished

    def commit(self, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        """Record in one transaction what is about to be published and what has been.

        A message that is delivered replaces what was known under its UID (unfinished records excepted) and ends its
        trouble.
        """
        rows = []
        for new in delivering:
            state = (MessageState.DELIVERING, new.delete_pending, False)
            rows.append((new.maildrop, new.id, new.uid, new.octets, *new.identity, *state, *new[-6:]))
        with self._writing() as connection:
            if rows:
                connection.executemany(_INSERT, rows)
                self._raise_last_message(max(new.id for new in delivering))
            if delivered:
                for delete_pending in {mark.delete_pending for mark in delivered}:
                    connection.execute(
                        _MARK_DELIVERED,
                        (delete_pending, _ids(mark.id for mark in delivered if mark.delete_pending is delete_pending)),
                    )
                ids = _ids(mark.id for mark in delivered)
                connection.execute(_FORGET_OLDER, (ids,))
                if connection.execute("SELECT EXISTS (SELECT 1 FROM trouble)").fetchone()[0]:
                    connection.execute(_FORGET_TROUBLE, (ids,))
                if connection.execute("SELECT EXISTS (SELECT 1 FROM accepted)").fetchone()[0]:
                    connection.execute(_FORGET_ACCEPTED, (ids,))

    def withdraw(self, ids: Collection[int], accepted: Mapping[int, Collection[str]] = NONE_ACCEPTED) -> None:
        """Forget unfinished records: nothing stands under their final names, the messages will come again.

        To be called before their drafts are aborted: a record without files means that a reader took the message.
        `accepted`: the recipients who have nevertheless accepted a message, and will not be sent it again.
        """
        rows = [(address, i) for i, addresses in accepted.items() for address in addresses]
        with self._writing() as connection:
            if rows:
                connection.executemany(_ACCEPT, rows)
            connection.execute(f"DELETE FROM message WHERE state = 1 AND {_THESE}", (_ids(ids),))  # noqa: S608

    def mark_delete_pending(self, ids: Collection[int]) -> None:
        """Owe the deletion of delivered messages: their deleteafter has passed, or the server has not done it, or a
        message that was shorter than listed has proved to be whole."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET owed = 1, state = 2, doubt = 0, absent = NULL WHERE state IN (2, 3) AND {_THESE}",  # noqa: S608
                (_ids(ids),),
            )

    def keep(self, ids: Collection[int]) -> None:
        """Never delete these delivered messages from the server: they have proved not to be whole."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET owed = 0, state = 4, doubt = 2 WHERE state = 2 AND {_THESE}",  # noqa: S608
                (_ids(ids),),
            )

    def mark_seen(self, maildrop: int, uids: Collection[str], *, now: int = 0) -> int:
        """Make newonly skip these UIDs; what is known of messages under them stays. Returns how many were new.

        A UID whose message was deleted stands for another one now, and is new.
        """
        with self._reading():
            query = "SELECT uid FROM message WHERE maildrop = ? AND state <> 3"
            known = {row[0] for row in self._connection.execute(query, (maildrop,))}
        rows = [
            (
                maildrop,
                self.next_id(),
                uid,
                0,
                *UNKNOWN_IDENTITY,
                MessageState.SEEN,
                False,
                False,
                None,
                None,
                None,
                now,
                0,
                0.0,
            )
            for uid in dict.fromkeys(uids)
            if uid not in known
        ]
        if rows:
            with self._writing() as connection:
                connection.executemany(
                    "DELETE FROM message WHERE maildrop = ? AND uid = ? AND state = 3", [(maildrop, r[2]) for r in rows]
                )
                connection.executemany(_INSERT, rows)
                self._raise_last_message(rows[-1][1])
        return len(rows)

    def close_session(
        self,
        maildrop: int,
        *,
        deleted: Sequence[int],
        listed: Collection[str] | None,
        now: int,
        keep_unnamed: bool = False,
        settle: bool = True,
        clock: MaildropClock | None = None,
    ) -> None:
        """Record QUIT's +OK: these are deleted and, with `settle`, all deliveries of this maildrop are settled.

        `listed` is the session's listing where it was complete and with usable UIDs, else None; `now` is epoch seconds.
        With a listing, absences are counted, and what has been absent for FORGET_AFTER is forgotten. `keep_unnamed`:
        newonly or deleteafter still needs delivered messages that have no UID. `clock` is the clock of this session,
        from which the next one advances.
        """
        # Without such a setting nothing finds these again, for they are not owed; but for those that are in doubt.
        unnamed = now - FORGET_AFTER if keep_unnamed else now
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET state = 3, owed = 0, absent = ? WHERE maildrop = ? AND state = 2 AND {_THESE}",  # noqa: S608
                (now, maildrop, _ids(deleted)),
            )
            if settle:
                connection.execute(
                    "UPDATE message SET settled = 1 WHERE maildrop = ? AND state IN (2, 3) AND settled = 0", (maildrop,)
                )
            connection.execute(
                "DELETE FROM message WHERE maildrop = ?1 AND uid IS NULL AND state = 2 AND owed = 0"
                " AND time <= iif(doubt = 0, ?2, ?3)",
                (maildrop, unnamed, now - FORGET_AFTER),
            )
            connection.execute(
                "DELETE FROM message WHERE maildrop = ? AND uid IS NULL AND state = 3 AND absent <= ?",
                (maildrop, now - FORGET_AFTER),
            )
            connection.execute("DELETE FROM accepted WHERE maildrop = ? AND time <= ?", (maildrop, now - FORGET_AFTER))
            if clock is not None:
                self.set_maildrop_clock(maildrop, clock)
            if listed is not None:
                self._count_absences(maildrop, listed, frozenset(deleted), now)

    def _count_absences(self, maildrop: int, listed: Collection[str], deleted: Collection[int], now: int) -> None:
        present = listed if isinstance(listed, (set, frozenset, Mapping)) else frozenset(listed)
        appeared, vanished, forgotten = [], [], []
        rows = self._connection.execute(
            "SELECT id, uid, absent FROM message WHERE maildrop = ? AND uid IS NOT NULL AND state <> 1", (maildrop,)
        )
        for identifier, uid, absent in rows:
            if identifier in deleted:
                continue  # listed, and gone since
            if uid in present:
                if absent is not None:
                    appeared.append((identifier,))
            elif absent is None or absent > now:  # in the future: the wall clock was put back
                vanished.append((now, identifier))
            elif absent <= now - FORGET_AFTER:
                forgotten.append((identifier,))
        self._connection.executemany("UPDATE message SET absent = NULL WHERE id = ?", appeared)
        self._connection.executemany("UPDATE message SET absent = ? WHERE id = ?", vanished)
        self._connection.executemany("DELETE FROM message WHERE id = ?", forgotten)
        troubled = self._connection.execute("SELECT key FROM trouble WHERE maildrop = ?", (maildrop,)).fetchall()
        listed = {key for uid in present for key in (uid_key(uid), deletion_key(uid_key(uid)))} if troubled else ()
        self._connection.executemany(
            "DELETE FROM trouble WHERE maildrop = ? AND key = ?",
            [(maildrop, key) for (key,) in troubled if key not in listed],
        )

    def _raise_last_message(self, identifier: int) -> None:
        self._connection.execute("UPDATE journal SET last_message = max(last_message, ?)", (identifier,))

    # --- trouble ----------------------------------------------------------------------------------------------------

    def count_troubles(self, maildrop: int, troubles: Iterable[tuple[str, int, str, bool]], now: int) -> None:
        """Count a failure against each (key, octets, reason, rejected), in one transaction. `now` is epoch seconds."""
        with self._writing() as connection:
            connection.executemany(_COUNT_TROUBLE, [(maildrop, *trouble, now) for trouble in troubles])

    def troubles(self, maildrop: int) -> dict[str, MessageFailure]:
        """Return the failures of a maildrop that have not succeeded since, by key."""
        query = "SELECT key, octets, failures, rejections, last, reason FROM trouble WHERE maildrop = ?"
        with self._reading():
            return {row[0]: MessageFailure(*row) for row in self._connection.execute(query, (maildrop,))}

    def clear_troubles(self, maildrop: int, keys: Iterable[str]) -> None:
        """Forget the failures of these keys."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM trouble WHERE maildrop = ? AND key = ?", [(maildrop, key) for key in keys]
            )

    # --- servers ----------------------------------------------------------------------------------------------------

    def pipelining_failures(self) -> list[PipeliningFailure]:
        """Return the servers that could not do PIPELINING."""
        with self._reading():
            rows = self._connection.execute("SELECT host, port, failures, time FROM manners")
            return [PipeliningFailure(*row) for row in rows]

    def note_pipelining_failure(self, failure: PipeliningFailure) -> None:
        """Remember a server's manners, in the place of what was known of it."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manners (host, port, failures, time) VALUES (?, ?, ?, ?)", failure
            )

    def forget_pipelining_failure(self, host: str, port: int) -> None:
        """Forget what was known of a server."""
        with self._writing() as connection:
            connection.execute("DELETE FROM manners WHERE host = ? AND port = ?", (host, port))

    def capa_histories(self) -> list[CapaHistory]:
        """Return the histories of answers to CAPA."""
        with self._reading():
            rows = self._connection.execute("SELECT host, port, utf8, mechanisms, time, broke FROM capa")
            return [
                CapaHistory(host, port, utf8 == 1, tuple(words.split()), *times)
                for host, port, utf8, words, *times in rows
            ]

    def note_capa(self, history: CapaHistory) -> None:
        """Replace the history of a server's answers to CAPA."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO capa (host, port, utf8, mechanisms, time, broke) VALUES (?, ?, ?, ?, ?, ?)",
                (history.host, history.port, history.utf8, " ".join(history.mechanisms), history.time, history.broke),
            )

    # --- SMTP: who has accepted -------------------------------------------------------------------------------------

    def acceptances(self, maildrop: int) -> list[Acceptance]:
        """Return who has accepted which of a maildrop's messages that are not delivered to all."""
        query = "SELECT uid, address, digest, whole, message_id, date, utf8 FROM accepted WHERE maildrop = ?"
        with self._reading():
            rows = self._connection.execute(query, (maildrop,))
            return [Acceptance(row[0], _identity(*row[2:]), row[1]) for row in rows]

    # --- history ----------------------------------------------------------------------------------------------------

    def record_sessions(self, rows: Sequence[SessionRow]) -> None:
        """Add past sessions; of each client the last KEPT_SESSIONS stay."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO session (client, start, end, code, messages, octets, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            connection.executemany(
                "DELETE FROM session WHERE client = ?1 AND id <="
                " (SELECT id FROM session WHERE client = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                [(client, KEPT_SESSIONS) for client in {row.client for row in rows}],
            )

    def recent_sessions(self, limit: int) -> list[SessionRow]:
        """Return the last sessions of all clients together, oldest first."""
        query = "SELECT client, start, end, code, messages, octets, error FROM session ORDER BY id DESC LIMIT ?"
        with self._reading():
            rows = self._connection.execute(query, (limit,)).fetchall()
        return [SessionRow(*row)._replace(code=ExitCode(row[3])) for row in reversed(rows)]

    def totals(self, since: int) -> JournalTotals:
        """Return what the kept sessions delivered that ended at or after `since` (epoch seconds)."""
        query = "SELECT coalesce(sum(messages), 0), coalesce(sum(octets), 0) FROM session WHERE end >= ?"
        with self._reading():
            return JournalTotals(*self._connection.execute(query, (since,)).fetchone())

    # --- the connection ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of all that is written inside, durable at the end.

        Raises JournalError there when it may not be, or when any write inside has broken the journal: then nothing that
        was written, or read, inside may be relied upon.
        """
        self._together = True
        try:
            yield
            self._refuse_if_broken()
            if self._connection.in_transaction:
                with self._poison_on_error():
                    faultpoints.reached(Step.IN_TRANSACTION)
                    self._connection.execute("COMMIT")
        finally:
            self._together = False
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable at its end; inside of transaction() a part of one."""
        if not self._together:
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
            except (OverflowError, ValueError) as error:  # a value that no column takes: the other parts stand
                self._connection.execute("ROLLBACK TO part")
                raise JournalError(f"the journal {self.path} cannot hold a value: {visible(str(error))}") from error
            self._connection.execute("RELEASE part")

    def _refuse_if_broken(self) -> None:
        if self._failure is not None:  # whoever comes later is told why, too
            raise type(self._failure)(str(self._failure), advice=self._failure.advice)
        if self.broken:
            raise JournalError(f"the journal {self.path} was given up after an error; it must be reopened first")

    @contextlib.contextmanager
    def _poison_on_error(self) -> Iterator[None]:
        """After an error of SQLite's the journal is broken for good."""
        try:
            yield
        except JournalError:
            raise
        except BaseException as error:
            # An error in COMMIT leaves open whether it happened, and fsync may claim success the second time: only a
            # fresh look at the file (reopening it) tells.
            self.broken = True
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            if isinstance(error, sqlite3.Error):
                self._failure = explain(error, self.path, "written")
                raise self._failure from error
            raise

    def _look_for_file(self) -> None:
        """SQLite would go on writing into a file that has no name any more, and what it holds ends with the process."""
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


def _ids(ids: Iterable[int]) -> str:
    return f"[{','.join(map(str, ids))}]"


def _record(row: Any) -> Record:
    identifier, uid, octets, *identity, state, delete_pending, quit_confirmed, tmp, final, audit, time, doubt, born = (
        row
    )
    known = (_identity(*identity), _STATES[state], delete_pending == 1, quit_confirmed == 1)
    return Record(identifier, uid, octets, *known, tmp, final, audit, time, _DOUBTS[doubt], born)


def _identity(digest: bytes, whole: int, message_id: str | None, date: str | None, utf8: int) -> Identity:
    return Identity(digest, whole == 1, message_id, date, utf8 == 1)
