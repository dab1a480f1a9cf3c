"""The journal: what was delivered and what is to be deleted, in one SQLite file that one process has open.

Terminology:

- *maildrop*: an account on a server together with a destination. All records belong to a maildrop.
- *record*: one message of a maildrop, known by its UID, or by its identity (mail/identity.py) without UIDL.
- *state*: how far the message has come; the table below.
- *delivering*, *delivered*: the two commits of a delivery. Between them the record has the paths of the file and the
  text of the audit line. A record in DELIVERING is *unfinished*; it is *interrupted* when no process works on it.
- *mark*: what the receiver of a message can be asked for while its record is unfinished (delivery/remote.py). Later it
  is the receiver's name for the message, if there is one.
- *doubt*: whether a message that is shorter than LIST announced is complete. UNPROVEN: the connection broke before the
  next reply could prove it; it is not deleted until it has been retrieved again. SHORT: certainly incomplete.
- *delete_pending*: the message is to be deleted from the server. It stays set when the connection breaks, and the next
  session deletes the message. In DELIVERING it is the value that recovery will set.
- *quit_confirmed*: a QUIT was answered +OK after the delivery. With preserve and without newonly every run retrieves
  all messages again. A record without quit_confirmed is from an interrupted run: its message is not retrieved again.
- *transaction*: all writes inside transaction() are durable when it ends (WAL, synchronous=FULL), or none of them is.
- *broken*: a write failed. It may or may not be on disk, so no further write is accepted. The journal must be closed,
  opened again, and recovered (commit/recovery.py).

States and their transitions:

    from          to           when                                         method
    -             SEEN         the user marks a UID                         mark_seen
    -             DELIVERING   the file is durable under its tmp name       commit(delivering)
    DELIVERING    DELIVERED    published, folder fsynced, audited           commit(delivered)
    DELIVERING    KEPT         the same, and doubt is SHORT                 commit(delivered)
    DELIVERING    (removed)    not published: it will be retrieved again    withdraw
    DELIVERED     DELETED      QUIT was answered +OK after its DELE         close_session
    DELIVERED     KEPT         a second retrieval was shorter, too          keep
    DELETED       DELIVERED    the server still lists it                    mark_delete_pending
    DELETED       SEEN         the user marks its UID, a new message has it mark_seen
    -             SKIPPED      the user skips it                            skip
    not DELIVERING SKIPPED     the user skips it                            skip
    DELIVERED     DELETED      the user has deleted it                      close_named
    SEEN, KEPT, SKIPPED (removed) the user has deleted it                   close_named
    any other     (removed)    its UID was delivered again                  commit(delivered)
    any other     (removed)    absent from listings for FORGET_AFTER        close_session

mark_delete_pending sets delete_pending of DELIVERED records, too. close_session removes DELIVERED and DELETED records
without a UID when no setting needs them.

Threads: one call at a time, from any thread (thread.py); only next_id() may be called at any time. All methods are
blocking. Every method that writes raises JournalError if the change may not be durable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from tui_popretr.journal.records import (
    UNKNOWN_IDENTITY,
    Acceptance,
    DeliveredMark,
    Doubt,
    Identity,
    Maildrop,
    MaildropClock,
    MessageState,
    NewRecord,
    Record,
    deletion_key,
    uid_key,
)
from tui_popretr.journal.totals import JournalTotals

#: Seconds. A record is removed when its UID has been absent from complete listings for this time.
FORGET_AFTER: Final = 90 * 24 * 3600

#: UIDs in a query. Every version of SQLite takes 999 variables.
_AT_ONCE: Final = 900
_STATES = tuple(MessageState)
_DOUBTS = tuple(Doubt)
_COLUMNS = (
    "id, uid, octets, digest, whole, message_id, date, utf8, state, owed, settled, tmp, final, audit, time, doubt,"
    " born, mark"
)
_INSERT = f"INSERT INTO message (maildrop, {_COLUMNS}) VALUES ({','.join('?' * 19)})"  # noqa: S608
_UNFINISHED = f"SELECT {_COLUMNS}, maildrop FROM message WHERE state = 1"  # noqa: S608
_RECORDS = f"SELECT {_COLUMNS} FROM message WHERE maildrop = ?"  # noqa: S608
# "state" in numbers, as the partial index needs them: 0 seen, 1 delivering, 2 delivered, 3 deleted, 4 kept, 5 skipped.
# "doubt": 0 none, 1 unproven, 2 short.
# One statement for all messages (_ids): one statement per message takes twice as long.
_THESE = "id IN (SELECT value FROM json_each(?))"
_MARK_DELIVERED = f"""
UPDATE message SET state = iif(doubt = 2, 4, 2), owed = ?, tmp = NULL, audit = NULL, mark = NULL
WHERE state = 1 AND {_THESE}"""  # noqa: S608
_FORGET_OLDER = """
DELETE FROM message WHERE id IN (
    SELECT old.id FROM json_each(?) AS delivered
    CROSS JOIN message AS new ON new.id = delivered.value
    CROSS JOIN message AS old ON old.maildrop = new.maildrop AND old.uid = new.uid
    WHERE old.id < new.id AND old.state <> 1
)"""
_FORGET_TROUBLE = f"""
DELETE FROM trouble WHERE (maildrop, key) IN (SELECT maildrop, 'uid:' || uid FROM message WHERE {_THESE})"""  # noqa: S608
_ACCEPT = """
INSERT INTO accepted (maildrop, uid, digest, whole, message_id, date, utf8, address, time)
SELECT maildrop, uid, digest, whole, message_id, date, utf8, ?, time FROM message WHERE id = ? AND state = 1"""
# Without a UID this removes those of identical messages, too: a message may come twice, but is not lost.
_FORGET_ACCEPTED = f"""
DELETE FROM accepted WHERE (maildrop, coalesce(uid, digest)) IN
    (SELECT maildrop, coalesce(uid, digest) FROM message WHERE {_THESE})"""  # noqa: S608
NONE_ACCEPTED: Final[Mapping[int, Collection[str]]] = {}


class Journal(JournalTotals):
    """The open journal. Its file is in JournalConnection, its other tables in JournalHistory and JournalTotals."""

    # --- maildrops ----------------------------------------------------------------------------------------------------

    def maildrop(self, key: Maildrop) -> int:
        """Return the id of a maildrop, which is added if it is new. A former key is replaced by this one."""
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

    def find_maildrop(self, key: Maildrop) -> int | None:
        """Return the id of a maildrop; None if it has no records."""
        return next((found for each in (key, *key.former()) if (found := self._maildrop_id(each)) is not None), None)

    def kept_elsewhere(self, key: Maildrop) -> list[tuple[Maildrop, int]]:
        """Return the maildrops of the same user and destination at other hosts or ports, if this one is new.

        Each comes with the number of its records that are not DELETED, which is not 0; the highest number comes first.
        """
        if self.find_maildrop(key) is not None:
            return []
        query = """
SELECT host, port, count(*) FROM maildrop JOIN message ON message.maildrop = maildrop.id
WHERE user = ? AND destination = ? AND state <> 3 GROUP BY maildrop.id ORDER BY count(*) DESC"""
        with self._reading():
            rows = self._connection.execute(query, (key.user, key.destination)).fetchall()
        return [(replace(key, host=host, port=port), count) for host, port, count in rows]

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

    # --- messages -----------------------------------------------------------------------------------------------------

    def records(self, maildrop: int, *, deleted: bool = True) -> list[Record]:
        """Return the records of a maildrop, oldest first; `deleted`: with those in state DELETED."""
        with self._reading():
            rows = self._connection.execute(_RECORDS if deleted else f"{_RECORDS} AND state <> 3", (maildrop,))
            records = [_record(row) for row in rows]
        records.sort(key=itemgetter(0))  # faster than in SQLite, which would sort all columns
        return records

    def deleted(self, maildrop: int, uids: Sequence[str]) -> list[Record]:
        """Return the records in state DELETED with one of these UIDs."""
        with self._reading():
            query = "SELECT EXISTS (SELECT 1 FROM message WHERE maildrop = ? AND state = 3 AND uid IS NOT NULL)"
            if not self._connection.execute(query, (maildrop,)).fetchone()[0]:
                return []
        return self._named(f"{_RECORDS} AND state = 3", maildrop, uids)

    def records_of(self, maildrop: int, uids: Sequence[str]) -> list[Record]:
        """Return the records in any state with one of these UIDs."""
        return self._named(_RECORDS, maildrop, uids)

    def _named(self, query: str, maildrop: int, uids: Sequence[str]) -> list[Record]:
        found: list[Record] = []
        with self._reading():
            for start in range(0, len(uids), _AT_ONCE):
                some = uids[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"{query} AND uid IN ({marks})", (maildrop, *some))
                found += [_record(row) for row in rows]
        return found

    def delivering(self) -> list[tuple[int, Record]]:
        """Return the records in state DELIVERING of all maildrops, each with its maildrop's id, oldest first."""
        with self._reading():
            unfinished = [(row[-1], _record(row[:-1])) for row in self._connection.execute(_UNFINISHED)]
        unfinished.sort(key=lambda pair: pair[1].id)  # with ORDER BY SQLite would not use the index
        return unfinished

    def commit(self, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        """Record in one transaction which messages are about to be published, and which have been.

        A delivered message replaces earlier records of its UID, except those in DELIVERING, and removes its failures.
        """
        rows = []
        for new in delivering:
            state = (MessageState.DELIVERING, new.delete_pending, False)
            rows.append((new.maildrop, new.id, new.uid, new.octets, *new.identity, *state, *new[-7:]))
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
                if receipts := [(mark.receipt, mark.id) for mark in delivered if mark.receipt is not None]:
                    connection.executemany("UPDATE message SET mark = ? WHERE id = ?", receipts)
                ids = _ids(mark.id for mark in delivered)
                connection.execute(_FORGET_OLDER, (ids,))
                if connection.execute("SELECT EXISTS (SELECT 1 FROM trouble)").fetchone()[0]:
                    connection.execute(_FORGET_TROUBLE, (ids,))
                if connection.execute("SELECT EXISTS (SELECT 1 FROM accepted)").fetchone()[0]:
                    connection.execute(_FORGET_ACCEPTED, (ids,))

    def withdraw(self, ids: Collection[int], accepted: Mapping[int, Collection[str]] = NONE_ACCEPTED) -> None:
        """Remove records in DELIVERING that were not published. Their messages will be retrieved again.

        Must be called before the drafts are aborted: a record without files means that a mail reader took the message.
        `accepted`: by record, the recipients that have accepted the message. They do not get it again.
        """
        rows = [(address, i) for i, addresses in accepted.items() for address in addresses]
        with self._writing() as connection:
            if rows:
                connection.executemany(_ACCEPT, rows)
            connection.execute(f"DELETE FROM message WHERE state = 1 AND {_THESE}", (_ids(ids),))  # noqa: S608

    def mark_delete_pending(self, ids: Collection[int]) -> None:
        """Set delete_pending of delivered messages.

        Their deleteafter has passed, the server has not deleted them, or a doubtful message proved to be complete.
        """
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET owed = 1, state = 2, doubt = 0, absent = NULL WHERE state IN (2, 3) AND {_THESE}",  # noqa: S608
                (_ids(ids),),
            )

    def keep(self, ids: Collection[int]) -> None:
        """Keep these delivered messages on the server: they proved to be incomplete."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET owed = 0, state = 4, doubt = 2 WHERE state = 2 AND {_THESE}",  # noqa: S608
                (_ids(ids),),
            )

    def mark_seen(self, maildrop: int, uids: Collection[str], *, now: int = 0) -> int:
        """Mark UIDs that newonly skips; UIDs with a record are left. Returns the number of new marks.

        The UID of a deleted message now belongs to another message, and counts as new.
        """
        with self._reading():
            query = "SELECT uid FROM message WHERE maildrop = ? AND state <> 3"
            known = {row[0] for row in self._connection.execute(query, (maildrop,))}
        new = [uid for uid in dict.fromkeys(uids) if uid not in known]
        if new:
            with self._writing() as connection:
                connection.executemany(
                    "DELETE FROM message WHERE maildrop = ? AND uid = ? AND state = 3", [(maildrop, uid) for uid in new]
                )
                self._mark(maildrop, new, MessageState.SEEN, now)
        return len(new)

    def _mark(self, maildrop: int, uids: Iterable[str], state: MessageState, now: int) -> None:
        """Add records of messages that were never retrieved."""
        settled = (state, False, False, None, None, None, now, 0, 0.0, None)
        rows = [(maildrop, self.next_id(), uid, 0, *UNKNOWN_IDENTITY, *settled) for uid in uids]
        self._connection.executemany(_INSERT, rows)
        self._raise_last_message(rows[-1][1])

    def skip(self, maildrop: int, uids: Collection[str], *, now: int) -> set[str]:
        """Mark messages as skipped, in any state but DELIVERING; return the UIDs that are left because of that."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT uid, max(state = 1) FROM message WHERE maildrop = ? AND uid IS NOT NULL GROUP BY uid",
                (maildrop,),
            )
            known = {uid: delivering == 1 for uid, delivering in rows}
        new = [uid for uid in dict.fromkeys(uids) if uid not in known]
        with self._writing() as connection:
            connection.executemany(
                "UPDATE message SET state = 5, owed = 0, absent = NULL WHERE maildrop = ? AND uid = ?",
                [(maildrop, uid) for uid in uids if known.get(uid) is False],
            )
            if new:
                self._mark(maildrop, new, MessageState.SKIPPED, now)
        return {uid for uid in uids if known.get(uid)}

    def close_named(self, maildrop: int, uids: Collection[str], *, now: int) -> None:
        """Record a QUIT that was answered +OK after DELE of messages that the user named.

        What has one of these UIDs later is another message, as after close_session().
        """
        with self._writing() as connection:
            connection.executemany(
                "UPDATE message SET state = 3, owed = 0, absent = ? WHERE maildrop = ? AND uid = ? AND state = 2",
                [(now, maildrop, uid) for uid in uids],
            )
            connection.executemany(
                "DELETE FROM message WHERE maildrop = ? AND uid = ? AND state IN (0, 4, 5)",
                [(maildrop, uid) for uid in uids],
            )

    def close_session(
        self,
        maildrop: int,
        *,
        deleted: Sequence[int],
        listed: Collection[str] | None,
        now: int,
        keep_unnamed: bool = False,
        confirm: bool = True,
        clock: MaildropClock | None = None,
    ) -> None:
        """Record a QUIT that was answered +OK.

        The messages `deleted` become DELETED. With `confirm`, all deliveries of the maildrop get quit_confirmed.
        `listed`: the UIDs of the session's listing if it was complete and they are usable, else None. With a listing,
        records that have been absent from listings for FORGET_AFTER are removed. `now` is epoch seconds.
        `keep_unnamed`: newonly or deleteafter still needs delivered messages that have no UID. `clock`: the maildrop's
        clock in this session.
        """
        # Without such a setting, a record without a UID is needed only while its deletion is pending or it is in doubt.
        unnamed = now - FORGET_AFTER if keep_unnamed else now
        with self._writing() as connection:
            connection.execute(
                f"UPDATE message SET state = 3, owed = 0, absent = ? WHERE maildrop = ? AND state = 2 AND {_THESE}",  # noqa: S608
                (now, maildrop, _ids(deleted)),
            )
            if confirm:
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
                continue  # it was in the listing, and has been deleted
            if uid in present:
                if absent is not None:
                    appeared.append((identifier,))
            elif absent is None or absent > now:  # in the future: the wall clock was set back
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

    # --- recipients (SMTP) --------------------------------------------------------------------------------------------

    def acceptances(self, maildrop: int) -> list[Acceptance]:
        """Return the recipients that have accepted a message of a maildrop that other recipients refused."""
        query = "SELECT uid, address, digest, whole, message_id, date, utf8 FROM accepted WHERE maildrop = ?"
        with self._reading():
            rows = self._connection.execute(query, (maildrop,))
            return [Acceptance(row[0], _identity(*row[2:]), row[1]) for row in rows]


def _ids(ids: Iterable[int]) -> str:
    return f"[{','.join(map(str, ids))}]"


def _record(row: Any) -> Record:
    identifier, uid, octets, *identity, state, pending, confirmed, tmp, final, audit, time, doubt, born, mark = row
    known = (_identity(*identity), _STATES[state], pending == 1, confirmed == 1)
    return Record(identifier, uid, octets, *known, tmp, final, audit, time, _DOUBTS[doubt], born, mark)


def _identity(digest: bytes, whole: int, message_id: str | None, date: str | None, utf8: int) -> Identity:
    return Identity(digest, whole == 1, message_id, date, utf8 == 1)
