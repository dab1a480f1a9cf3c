"""Whatever happens to the process: the journal holds exactly what was committed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.journal.making import DAY, HOME, NOW, WORK, new_record
from tui_popretr.journal.ids import MessageIds
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, Record

UIDS = ("a", "b", "c", None)


class JournalMachine(RuleBasedStateMachine):
    """The journal against a dictionary, with crashes: the files as they are, without a close, in another place."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.generation = 0
        self.path = self.folder / "0.sqlite"
        self.ids = MessageIds()
        self.journal = Journal.open(str(self.path), ids=self.ids)
        self.model: dict[int, dict[int, Record]] = {}
        self.absent: dict[int, int] = {}
        self.used: set[int] = set()
        self.now = NOW

    @initialize()
    def begin(self) -> None:
        self.home, self.work = self.journal.maildrop(HOME), self.journal.maildrop(WORK)
        self.model = {self.home: {}, self.work: {}}

    def some(self, data: Any, maildrop: int, *states: MessageState) -> list[Record]:
        candidates = [r for r in self.model[maildrop].values() if r.state in states]
        return data.draw(st.lists(st.sampled_from(candidates), unique=True)) if candidates else []

    @rule(
        data=st.data(),
        which=st.booleans(),
        uids=st.lists(st.sampled_from(UIDS), max_size=3),
        delete_pending=st.booleans(),
    )
    def commit(self, data: Any, which: bool, uids: list[str | None], delete_pending: bool) -> None:
        maildrop = self.home if which else self.work
        rows = self.model[maildrop]
        marked = self.some(data, maildrop, MessageState.DELIVERING)
        new = [new_record(self.journal, maildrop, uid, delete_pending=delete_pending, time=self.now) for uid in uids]
        assert self.used.isdisjoint(row.id for row in new)
        self.used.update(row.id for row in new)
        self.journal.commit(new, [DeliveredMark(r.id, delete_pending) for r in marked])
        for row in new:
            rows[row.id] = Record(
                row.id, row.uid, row.octets, row.identity, MessageState.DELIVERING, delete_pending, False, row.tmp,
                row.final, row.audit, row.time,
            )  # fmt: skip
        for record in marked:
            rows[record.id] = record._replace(
                state=MessageState.DELIVERED, delete_pending=delete_pending, tmp=None, audit=None
            )
        for record in marked:
            for old in list(rows.values()):
                if (
                    old.uid == record.uid is not None
                    and old.id < record.id
                    and old.state is not MessageState.DELIVERING
                ):
                    del rows[old.id]

    @rule(data=st.data(), which=st.booleans())
    def withdraw(self, data: Any, which: bool) -> None:
        maildrop = self.home if which else self.work
        chosen = self.some(data, maildrop, MessageState.DELIVERING)
        self.journal.withdraw([r.id for r in chosen])
        for record in chosen:
            del self.model[maildrop][record.id]

    @rule(which=st.booleans(), uid=st.sampled_from(("a", "b", "c")))
    def mark_seen(self, which: bool, uid: str) -> None:
        maildrop = self.home if which else self.work
        self.journal.mark_seen(maildrop, [uid], now=self.now)
        known = self.model[maildrop]
        if all(record.uid != uid or record.state is MessageState.DELETED for record in known.values()):
            for number in [number for number, record in known.items() if record.uid == uid]:
                del known[number]
            (record,) = (r for r in self.journal.records(maildrop) if r.uid == uid)
            assert (record.state, record.delete_pending) == (MessageState.SEEN, False)
            self.model[maildrop][record.id] = record
            self.used.add(record.id)

    @rule(
        data=st.data(),
        which=st.booleans(),
        listed=st.none() | st.sets(st.sampled_from(("a", "b", "c"))),
        days=st.sampled_from((0, 1, 45, 90)),
    )
    def close_session(self, data: Any, which: bool, listed: set[str] | None, days: int) -> None:
        maildrop = self.home if which else self.work
        self.now += days * DAY
        deleted = {r.id for r in self.some(data, maildrop, MessageState.DELIVERED)}
        self.journal.close_session(maildrop, deleted=sorted(deleted), listed=listed, now=self.now)
        rows = self.model[maildrop]
        for record in list(rows.values()):
            if record.id in deleted:
                record = record._replace(state=MessageState.DELETED, delete_pending=False)
                self.absent[record.id] = self.now
            if record.state in (MessageState.DELIVERED, MessageState.DELETED):
                record = record._replace(quit_confirmed=True)
            rows[record.id] = record
            if record.state is MessageState.DELIVERING:
                continue
            if record.uid is None:
                if record.state is MessageState.DELIVERED:
                    forget = not record.delete_pending
                else:
                    forget = self.absent[record.id] <= self.now - 90 * DAY
            elif listed is None or record.id in deleted:
                forget = False
            elif record.uid in listed:
                self.absent.pop(record.id, None)
                forget = False
            else:
                forget = self.absent.setdefault(record.id, self.now) <= self.now - 90 * DAY
            if forget:
                del rows[record.id]

    @rule(cut=st.floats(0, 1))
    def crash(self, cut: float) -> None:
        """Everything stops, perhaps in the middle of a transaction of which the disk has a part."""
        wal = Path(f"{self.path}-wal")
        durable = wal.stat().st_size if wal.exists() else 0
        self.journal._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self.journal.commit([new_record(self.journal, self.home, "torn")], [])
        torn = wal.read_bytes()
        end = durable + int((len(torn) - durable) * cut * 0.999)
        self.generation += 1
        path = self.folder / f"{self.generation}.sqlite"
        shutil.copy(self.path, path)
        Path(f"{path}-wal").write_bytes(torn[:end])
        self.journal.close()
        self.path = path
        self.ids = MessageIds()
        self.journal = Journal.open(str(path), ids=self.ids)

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = Journal.open(str(self.path), ids=self.ids)

    @invariant()
    def holds_what_was_committed(self) -> None:
        for maildrop, rows in self.model.items():
            assert self.journal.records(maildrop) == sorted(rows.values())
        unfinished = [
            (maildrop, r)
            for maildrop, rows in self.model.items()
            for r in rows.values()
            if r.state is MessageState.DELIVERING
        ]
        assert self.journal.delivering() == sorted(unfinished, key=lambda pair: pair[1].id)

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
