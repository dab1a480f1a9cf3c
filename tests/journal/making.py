"""Records for tests."""

from __future__ import annotations

from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, NewRecord
from tui_popretr.mail.identity import Identity

NOW = 1_795_000_000
DAY = 24 * 3600
HOME = Maildrop.of("pop.example.test", 110, "me", "maildir:/mail/me")
WORK = Maildrop.of("pop.example.test", 110, "me", "maildir:/mail/work")


def new_record(
    journal: Journal, maildrop: int, uid: str | None, *, delete_pending: bool = True, time: int = NOW
) -> NewRecord:
    """Return a record of a message that is about to be published."""
    i = journal.next_id()
    identity = Identity(bytes([i % 256]) * 32, uid is None, f"m{i}@example.test", "Mon, 23 Nov 2026 07:27:59 +0000")
    return NewRecord(i, maildrop, uid, 1000 + i, identity, delete_pending, f"/tmp/{i}", f"/new/{i}", f"audit {i}", time)


def deliver(journal: Journal, maildrop: int, *uids: str | None, delete_pending: bool = True) -> list[int]:
    """Take messages all the way to delivered and return their ids."""
    rows = [new_record(journal, maildrop, uid, delete_pending=delete_pending) for uid in uids]
    journal.commit(rows, [])
    journal.commit([], [DeliveredMark(row.id, delete_pending) for row in rows])
    return [row.id for row in rows]
