"""A process of the program, in one thread: keeper and committer as in the engine, over real journal and sinks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.commit.recovering import recover
from tests.journal.model_disk import Disk, Happening, Step
from tests.journal.model_ledger import Account, Ledger
from tests.journal.model_records import Records
from tui_popretr.commit.recovery import Recovered
from tui_popretr.config.account import Server
from tui_popretr.config.model import ClientSettings
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.sink import Draft, Sink
from tui_popretr.delivery.sinks import sink_for
from tui_popretr.errors import DeliveryFailed, JournalError, PopretrError
from tui_popretr.journal.ids import MessageIds
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, NewRecord

HOSTS, USER = {110: "Pop.example.test", 995: "pop.Example.test"}, "me"


@dataclass(slots=True, eq=False)
class PendingDelivery:
    """A message received whole. `done` is called with None when it is durable and the journal knows it."""

    draft: Draft
    record: NewRecord
    done: Callable[[PopretrError | None], None]


class Program:
    """One process. What it does on the disk may raise Killed; then nothing more is to be done with it but die()."""

    def __init__(self, disk: Disk, ledger: Ledger, records: list[Records]) -> None:
        self.disk = disk
        self.ledger = ledger
        self.records = records
        #: So many messages are made durable together.
        self.group = 1
        self._path = str(disk.var / "popretr.sqlite")
        self._journal: Journal | None = None
        self._drafts: list[Draft] = []
        self._waiting: list[PendingDelivery] = []
        self._published: list[PendingDelivery] = []
        self._undecided: list[PendingDelivery] = []
        self._cleaned: set[str] = set()
        self._ids: set[int] = set()
        self._message_ids = MessageIds()

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            raise JournalError("the journal is not open")
        return self._journal

    @property
    def sound(self) -> bool:
        return self._journal is not None and not self._journal.broken

    def close(self) -> None:
        """End in peace."""
        if self._journal is not None:
            self._journal.close()

    def die(self) -> None:
        """Give back what the kernel takes back from a process that was killed."""
        for draft in self._drafts:
            if isinstance(draft, FileDraft) and draft._descriptor >= 0:
                os.close(draft._descriptor)
        self.close()

    # --- keeper -------------------------------------------------------------------------------------------------------

    def reopen_if_broken(self) -> None:
        """Open the journal if there is none or it broke, and finish what was interrupted, of all accounts."""
        if self.sound:
            return
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        journal = Journal.open(self._path, ids=self._message_ids)
        try:
            self._recover(journal, None)
        except (PopretrError, OSError):
            journal.close()
            raise
        except BaseException:
            self._journal = journal  # for die()
            raise
        self._journal = journal

    def open_maildrop(self, account: Account, port: int) -> Sink:
        """Find the maildrop in the journal and finish what was interrupted in it."""
        self.reopen_if_broken()
        self._settle()
        server = Server(HOSTS[port], port, USER, None, (), False, None)
        sink = sink_for(ClientSettings("c", "r", server, account.destination), self.journal.id)
        key = Maildrop.of(server.host, server.port, USER, sink.key)
        number = self.journal.maildrop(key)
        records = self.records[account.number]
        assert records.maildrop in (None, number)
        records.maildrop = number
        for each in self._recover(self.journal, number):
            if each.error is not None:
                raise each.error
        if sink.key not in self._cleaned:
            self._cleaned.add(sink.key)
            known = [record.tmp for _, record in self.journal.delivering() if record.tmp is not None]
            with contextlib.suppress(DeliveryFailed):
                sink.clean_orphans(known)
        return sink

    def _recover(self, journal: Journal, maildrop: int | None) -> list[Recovered]:
        self.ledger.recovering()
        for _, record in journal.delivering():
            if record.uid is not None:
                self.records[self.ledger.deliveries[record.id].account.number].overcome(
                    [f"uid:{record.uid}"], surely=False
                )
        results = recover(journal, maildrop, now=self.ledger.clock.now, audit=self._audit)
        for each in results:
            self.ledger.deliveries[each.record.id].surely_delivered |= each.outcome.delivered
        unknown = {each.record.id for each in results if each.error is not None}
        left = {record.id for owner, record in journal.delivering() if maildrop in (None, owner)}
        assert left == unknown
        return results

    def _settle(self) -> None:
        """Remove the files of messages over which the journal failed, now that it was recovered."""
        unfinished = {record.id for _, record in self.journal.delivering()}
        for pending in self._undecided:
            if pending.record.id not in unfinished:
                pending.draft.abort()
        self._undecided = [each for each in self._undecided if each.record.id in unfinished]

    def _audit(self, lines: Sequence[str | None]) -> None:
        if self.disk.step(Step.AUDIT) is Happening.FAIL:
            raise OSError("no room for the line")
        self.ledger.audit += [line for line in lines if line is not None]

    # --- committer ----------------------------------------------------------------------------------------------------

    def next_id(self) -> int:
        identifier = self.journal.next_id()
        assert identifier not in self._ids
        self._ids.add(identifier)
        return identifier

    def opened(self, draft: Draft) -> Draft:
        self._drafts.append(draft)
        return draft

    def put(self, pending: PendingDelivery) -> None:
        """Hand a message over; a group of them is begun when it is complete, or when somebody waits."""
        self._waiting.append(pending)
        if len(self._waiting) >= self.group:
            self.work()

    def work(self) -> None:
        """Take the next group all the way but for its *delivered*, which goes into the next transaction."""
        group, self._waiting = self._waiting[: self.group], self._waiting[self.group :]
        good = self._write(group)
        if good or self._published:
            self._published = self._publish(good) if self._commit(good, self._published) else []

    def _write(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        problems: dict[int, PopretrError] = {}
        self._each(group, "write_out", problems)
        self._each(group, "sync", problems)
        self._sync_folders(group, lambda draft: draft.folders_before(), problems)
        for pending in group:
            if pending.record.id in problems:
                pending.draft.abort()
                pending.done(problems[pending.record.id])
        return [pending for pending in group if pending.record.id not in problems]

    def _commit(self, delivering: list[PendingDelivery], delivered: list[PendingDelivery]) -> bool:
        marks = [DeliveredMark(pending.record.id, pending.record.delete_pending) for pending in delivered]
        self._note_commit([], delivered, surely=False)
        try:
            self.journal.commit([pending.record for pending in delivering], marks)
        except JournalError as problem:
            self._undecided += delivering
            for pending in [*delivered, *delivering]:
                pending.done(problem)
            return False
        self._note_commit(delivering, delivered, surely=True)
        for pending in delivered:
            pending.done(None)
        return True

    def _note_commit(
        self, delivering: list[PendingDelivery], delivered: list[PendingDelivery], *, surely: bool
    ) -> None:
        deliveries = self.ledger.deliveries
        for pending in delivering:
            deliveries[pending.record.id].recorded = True
        for pending in delivered:
            delivery = deliveries[pending.record.id]
            delivery.surely_delivered |= surely
            if pending.record.uid is not None:
                self.records[delivery.account.number].overcome([f"uid:{pending.record.uid}"], surely=surely)

    def _publish(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        problems: dict[int, PopretrError] = {}
        self._each(group, "publish", problems)
        refused = [pending for pending in group if pending.record.id in problems]
        if refused:
            self._withdraw(refused)
        self._sync_folders(
            [x for x in group if x.record.id not in problems], lambda draft: draft.folders_after(), problems
        )
        for pending in group:
            if pending.record.id in problems:
                pending.done(problems[pending.record.id])
        good = [pending for pending in group if pending.record.id not in problems]
        if good:
            try:
                self._audit([pending.record.audit for pending in good])
            except OSError as error:
                for pending in good:
                    pending.done(PopretrError(f"internal error: {error}"))
                return []
        return good

    def _withdraw(self, failed: list[PendingDelivery]) -> None:
        numbers = [pending.record.id for pending in failed]
        for each in numbers:
            self.ledger.deliveries[each].withdrawn = True
        try:
            self.journal.withdraw(numbers)
        except JournalError:
            self._undecided += failed
        else:
            for pending in failed:
                pending.draft.abort()

    def _each(self, group: list[PendingDelivery], step: str, problems: dict[int, PopretrError]) -> None:
        for pending in group:
            if pending.record.id not in problems:
                try:
                    getattr(pending.draft, step)()
                except PopretrError as problem:
                    problems[pending.record.id] = problem

    def _sync_folders(
        self,
        group: list[PendingDelivery],
        folders: Callable[[Draft], tuple[str, ...]],
        problems: dict[int, PopretrError],
    ) -> None:
        good = [pending for pending in group if pending.record.id not in problems]
        users = {pending.record.id: folders(pending.draft) for pending in good}
        for folder in dict.fromkeys(folder for each in users.values() for folder in each):
            try:
                sync_folder(folder)
            except DeliveryFailed as problem:
                problems.update((record, problem) for record, needed in users.items() if folder in needed)
