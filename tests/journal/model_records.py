"""The valid contents of the journal, and their valid changes: states, failures, history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.journal.model_ledger import Account, Ledger
from tui_popretr.journal.journal import FORGET_AFTER, Journal
from tui_popretr.journal.records import Doubt, MessageState, Record, SessionRow, deletion_key, uid_key

#: The states that may follow. Between two checks, several steps may have been made.
_FOLLOWING = {
    MessageState.SEEN: {MessageState.SEEN},
    MessageState.DELIVERING: {*MessageState} - {MessageState.SEEN, MessageState.SKIPPED},
    MessageState.DELIVERED: {MessageState.DELIVERED, MessageState.DELETED, MessageState.KEPT},
    MessageState.KEPT: {MessageState.KEPT},
    MessageState.DELETED: {
        MessageState.DELETED,
        MessageState.DELIVERED,
    },  # some servers keep messages whose deletion they confirmed
}


@dataclass(slots=True)
class _Count:
    """The failures of a message. Not all may have been recorded."""

    least: int = 0
    most: int = 0


@dataclass(slots=True)
class Records:
    """The part of the journal that belongs to one account."""

    account: Account
    ledger: Ledger
    maildrop: int | None = None
    clock_seconds: float = 0.0  # of the MaildropClock, at the last plan
    known: dict[int, Record] = field(default_factory=dict)
    absent: dict[str | None, int] = field(default_factory=dict)  # since when no complete listing has had a UID
    perhaps_forgotten: set[str | None] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)  # as seen
    failures: defaultdict[str, _Count] = field(default_factory=lambda: defaultdict(_Count))
    last_failures: dict[str, set[int]] = field(default_factory=dict)  # one of these is right
    sessions: tuple[Counter[SessionRow], ...] = field(default_factory=lambda: (Counter(), Counter()))  # perhaps, surely

    @property
    def client(self) -> str:
        return f"client {self.account.number}"

    @property
    def number(self) -> int:
        """The number that the journal gave the maildrop."""
        assert self.maildrop is not None
        return self.maildrop

    # --- writes of the program: before them, and (`surely`) after them -----------------------------------------------

    def opened(self, maildrop: int, *, surely: bool) -> None:
        assert self.maildrop in (None, maildrop)
        if surely:
            self.maildrop = maildrop

    def failed(self, keys: Iterable[str], *, surely: bool) -> None:
        for key in keys:
            self.failures[key].least += surely
            self.failures[key].most += not surely
            self.last_failures[key] = {self.ledger.clock.wall} | (
                set() if surely else self.last_failures.get(key, set())
            )

    def overcome(self, keys: Iterable[str], *, surely: bool) -> None:
        for key in keys:
            if key in self.failures:
                self.failures[key].least = 0
                if surely:
                    del self.failures[key]

    def closed(self, listed: Collection[str] | None, deleted: Collection[str], *, surely: bool) -> None:
        """Note a QUIT answered +OK. `deleted` are UIDs."""
        now = self.ledger.clock.wall
        here = [each for each in self.ledger.deliveries.values() if each.account is self.account]
        for uid in {*self.marked, *(each.record.uid for each in here)} - {None}:
            if uid in deleted or (listed is not None and uid not in listed):
                self.absent[uid] = min(now, self.absent.get(uid, now))
                if now - self.absent[uid] >= FORGET_AFTER:
                    self.perhaps_forgotten.add(uid)
                    for each in here:
                        each.perhaps_forgotten |= each.record.uid == uid
            elif listed is not None and surely:
                self.absent.pop(uid, None)
        if listed is not None:
            present = {key for uid in listed for key in (uid_key(uid), deletion_key(uid_key(uid)))}
            self.overcome([key for key in self.failures if key not in present], surely=surely)

    def mark(self, uids: Collection[str]) -> None:
        """Note UIDs that are marked as seen. They are not those of the deleted messages."""
        self.marked |= set(uids)
        for each in self.ledger.deliveries.values():
            if each.account is self.account and each.perhaps_deleted is not None:
                each.perhaps_forgotten |= each.record.uid in uids

    def ended(self, row: SessionRow, *, surely: bool) -> None:
        self.sessions[surely][row] += 1

    # --- checks of the journal ----------------------------------------------------------------------------------------

    def check(self, journal: Journal) -> None:
        if self.maildrop is None:
            return
        records = journal.records(self.maildrop)
        now = {each.id: each for each in records}
        assert journal.records(self.maildrop, deleted=False) == [
            x for x in records if x.state is not MessageState.DELETED
        ]
        unfinished = [record for owner, record in journal.delivering() if owner == self.maildrop]
        assert unfinished == [x for x in records if x.state is MessageState.DELIVERING]
        named = [each.uid for each in records if each.uid is not None and each.state is not MessageState.DELIVERING]
        assert len(set(named)) == len(named), "two records of one UID"
        for identifier, before in self.known.items():
            if identifier in now:
                self._check_change(before, now[identifier])
            else:
                assert self._may_go(before, now.values()), f"forgotten: {before}"
        there = {identifier for identifier, _ in self.account.finished()}
        for each in records:
            self._check_record(each, there)
        self.known = now
        self._check_troubles(journal)
        self._check_history(journal)

    def _check_change(self, before: Record, now: Record) -> None:
        assert now.state in _FOLLOWING[before.state], f"{before} became {now}"
        assert now[:4] == before[:4]  # id, UID, octets, identity
        assert (now.final, now.time, now.born) == (before.final, before.time, before.born)
        assert now.quit_confirmed >= before.quit_confirmed
        assert (
            now.delete_pending >= before.delete_pending
            or now.state in (MessageState.DELETED, MessageState.KEPT)
            or before.state is MessageState.DELIVERING
        )

    def _may_go(self, gone: Record, others: Collection[Record]) -> bool:
        delivery = self.ledger.deliveries.get(gone.id)
        if delivery is not None and delivery.perhaps_deleted is not None and gone.uid in self.marked:
            return True
        if delivery is not None and gone.state is MessageState.DELIVERING:
            displaced = gone.final is not None and Path(gone.final) in self.ledger.disk.strangers
            if delivery.withdrawn or delivery.perhaps_forgotten or displaced:
                return True
            if not delivery.seen:
                return False
        if gone.uid is None:
            return delivery is not None and delivery.perhaps_forgotten
        replaced = any(x.uid == gone.uid and x.id > gone.id and x.state > MessageState.DELIVERING for x in others)
        return replaced or gone.uid in self.perhaps_forgotten

    def _check_record(self, record: Record, there: Collection[int]) -> None:
        if record.state is MessageState.SEEN:
            assert record.uid in self.marked
            assert not record.delete_pending
            assert not record.quit_confirmed
            return
        delivery = self.ledger.deliveries[record.id]
        delivery.recorded = True
        new = delivery.record
        assert (record.uid, record.octets, record.identity, record.time) == (
            new.uid,
            new.octets,
            new.identity,
            new.time,
        )
        assert record.final == new.final
        if record.state is MessageState.DELIVERING:
            assert (record.tmp, record.audit) == (new.tmp, new.audit)
            assert not delivery.surely_delivered
            return
        assert record.tmp is record.audit is None
        self.ledger.check_delivered(delivery, there)
        if record.state is MessageState.KEPT:
            assert not record.delete_pending
            assert record.doubt is Doubt.SHORT
            return
        assert record.quit_confirmed <= delivery.perhaps_settled
        assert record.quit_confirmed >= delivery.surely_settled
        if record.state is MessageState.DELETED:
            assert not record.delete_pending
            assert delivery.perhaps_deleted is not None
        else:
            assert delivery.delete_pending <= record.delete_pending <= delivery.perhaps_owed

    def _check_troubles(self, journal: Journal) -> None:
        assert self.maildrop is not None
        troubles = journal.failures(self.maildrop)
        for key in {*troubles, *self.failures}:
            count = troubles[key].failures if key in troubles else 0
            assert self.failures[key].least <= count <= self.failures[key].most
            self.failures[key] = _Count(count, count)

    def _check_history(self, journal: Journal) -> None:
        rows = Counter(each for each in journal.recent_sessions(10_000) if each.client == self.client)
        perhaps, surely = self.sessions
        assert surely <= rows <= perhaps
        self.sessions = (rows, rows.copy())
