"""Recovery: what becomes of the deliveries that a crash or a failed commit interrupted.

This is the one place that knows what is undecided after a failed commit:

- *unfinished*: the journal has the message as DELIVERING. recover() looks for its file, and records what it finds.
- *undecided*: a commit or a withdrawal of the record failed, so the journal may have it or not. The tmp file stays
  until the journal has been read again: without a record the draft is aborted, with one it is unfinished.
- *in doubt*: an unfinished message with a mark (delivery/remote.py). Only its receiver knows whether it has arrived, so
  it stays unfinished until a session of its maildrop asks (ask()).
- *publishing*: a queue has a message between its two commits. Its file may move at any moment, so nothing is looked up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import BlockingWorkers, timed_out
from tui_popretr.commit.lookup import Recovered, RecoveryResult, look_up, record_results, unexpected
from tui_popretr.commit.queue import PendingDelivery, abort, internal_error
from tui_popretr.delivery.remote import Absent, Answer, Arrived, Unknown
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, PartlyAccepted, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, Record
from tui_popretr.journal.thread import Job, JournalThread, RunJob

#: Seconds in which a destination must answer when interrupted deliveries are looked up.
LOOKUP_TIMEOUT = 15.0
#: Asks a receiver for messages in doubt, by their marks (SearchableSink.find).
Find = Callable[[Sequence[str]], Awaitable[Sequence[Answer]]]


class Recovery:
    """One per process. `audit` hands audit lines to the system; it is called in the journal's thread.

    `now` returns epoch seconds. `disks` has the threads in which folders are examined.
    """

    def __init__(
        self,
        journal: JournalThread,
        audit: Callable[[Sequence[str]], None],
        now: Callable[[], int],
        disks: BlockingWorkers | None = None,
    ) -> None:
        self._journal = journal
        self._audit = audit
        self._now = now
        self._disks = disks or BlockingWorkers(LOOKUP_TIMEOUT)
        self._undecided: list[PendingDelivery] = []
        self._publishing: set[object] = set()  # the queues
        self._published = trio.Event()

    # --- called by the queues -----------------------------------------------------------------------------------------

    async def commit(
        self, queue: object, delivering: Sequence[PendingDelivery], delivered: Sequence[PendingDelivery]
    ) -> JournalError | None:
        """Record in one transaction which messages are about to be published, and which have been. Those are finished.

        Returns the error if it fails. `queue` then counts as publishing if there are `delivering`.
        """
        if not delivering and not delivered:
            self.set_publishing(queue, False)
            return None
        try:
            await self.begin_commit(queue, delivering, delivered, lambda _: None).wait()
        except JournalError as failure:
            return failure
        return None

    def begin_commit(
        self,
        queue: object,
        delivering: Sequence[PendingDelivery],
        delivered: Sequence[PendingDelivery],
        then: Callable[[JournalError | None], object],
    ) -> Job[None]:
        """Begin commit() without waiting for it. `then` is called with its error.

        It is not called after a defect, which the job's wait() raises.
        """
        records = [delivery.record for delivery in delivering]
        marks = [_delivered(delivery) for delivery in delivered]

        def write(journal: Journal) -> None:
            journal.commit(records, marks)

        def ended(job: Job[None]) -> None:
            failure = job.problem
            if failure is None:
                if delivering:
                    faultpoints.reached(Step.DELIVERING)
                if delivered:
                    faultpoints.reached(Step.DELIVERED)
            elif isinstance(failure, JournalError):
                self._undecided += delivering
            else:
                return
            self.set_publishing(queue, bool(delivering) and failure is None)
            for delivery in delivered:
                delivery.finish(failure)
            then(failure)

        if delivering:
            self.set_publishing(queue, True)
        return self._journal.submit(write, ended)

    async def withdraw(self, failed: Sequence[PendingDelivery]) -> bool:
        """Remove the records of messages that were certainly not published, before their files are removed.

        In the other order, after a crash in between, recovery would assume that a mail reader took the message. Returns
        False if the records may still be there: then the files must stay.
        """
        accepted = {
            delivery.record.id: delivery.error.accepted
            for delivery in failed
            if isinstance(delivery.error, PartlyAccepted)
        }
        ids = [delivery.record.id for delivery in failed]
        try:
            await self._journal.run(lambda journal: journal.withdraw(ids, accepted))
        except JournalError:
            self._undecided += failed
            return False
        faultpoints.reached(Step.WITHDRAWN)
        return True

    def set_publishing(self, queue: object, now: bool) -> None:
        """Whether a queue has a message between its two commits."""
        if now:
            self._publishing.add(queue)
        elif queue in self._publishing:
            self._publishing.discard(queue)
            self._published.set()
            self._published = trio.Event()

    # --- called by the engine and the sessions ------------------------------------------------------------------------

    async def open(self, opened: Callable[[], object] = lambda: None) -> list[Recovered]:
        """Open the journal and finish the interrupted deliveries. Raises JournalError.

        `opened` is called in the thread when the journal is locked, before audit lines are written.
        """
        return await self._journal.open(self._recover_all, opened) or []

    async def recover(self) -> list[Recovered]:
        """After a failed commit: reopen the journal, finish the unfinished deliveries, and abort undecided drafts.

        Does nothing if no commit has failed. Raises JournalError where the journal cannot be reopened.
        """
        results: list[Recovered] = []
        if self._journal.broken:
            while self._publishing:
                await self._published.wait()
            results = await self.open()
        await self._abort_undecided()
        return results

    async def open_maildrop(self, key: Maildrop) -> tuple[int, list[Recovered]]:
        """Return the id of a maildrop, with its interrupted deliveries recovered. Raises JournalError."""

        def find(journal: Journal) -> tuple[int, list[tuple[int, Record]]]:
            number = journal.maildrop(key)
            return number, [(owner, record) for owner, record in _interrupted(journal) if owner == number]

        number, interrupted = await self._journal.run(find)
        return number, await self._finish(interrupted, self._journal.run)

    async def ask(self, maildrop: int, find: Find) -> list[Recovered]:
        """Ask the receiver of a maildrop for its messages in doubt, and record what it says. Raises JournalError."""

        def in_doubt(journal: Journal) -> list[Record]:
            return [each for owner, each in journal.delivering() if owner == maildrop and each.mark is not None]

        records = await self._journal.run(in_doubt)
        if not records:
            return []
        try:
            answers: Sequence[Answer] = await find([record.mark or "" for record in records])
        except PopretrError as error:
            answers = [Unknown(error)] * len(records)
        except Exception as defect:  # noqa: BLE001 - nothing is sent or deleted while it is in doubt
            answers = [Unknown(internal_error(defect))] * len(records)
        results = [_answered(maildrop, record, answer) for record, answer in zip(records, answers, strict=True)]
        faultpoints.reached(Step.RECOVERY_LOOKED)
        await self._journal.run(lambda journal: record_results(journal, results, self._audit))
        return results

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _recover_all(self, run: RunJob) -> list[Recovered]:
        return await self._finish(await run(_interrupted), run)

    async def _finish(self, interrupted: list[tuple[int, Record]], run: RunJob) -> list[Recovered]:
        results = await self._look_up(interrupted)
        if results:
            await run(lambda journal: record_results(journal, results, self._audit))
        return results

    async def _look_up(self, interrupted: list[tuple[int, Record]]) -> list[Recovered]:
        """Look up each folder in a thread of its own: one that hangs delays only its own messages."""
        folders: dict[str, list[tuple[int, Record]]] = {}
        for entry in interrupted:
            folders.setdefault(os.path.dirname(entry[1].final or ""), []).append(entry)
        results: list[Recovered] = []

        async def look(folder: str, entries: list[tuple[int, Record]]) -> None:
            problem: DeliveryFailed = timed_out(folder, LOOKUP_TIMEOUT)
            try:
                with trio.move_on_after(LOOKUP_TIMEOUT):
                    results.extend(await self._disks.of(folder, folder).run(look_up, entries, self._now()))
                    return
            except DestinationTimeout as error:
                problem = error
            except Exception as defect:  # noqa: BLE001 - the other folders are not concerned
                problem = unexpected(defect, folder)
            results.extend(Recovered(owner, record, RecoveryResult.UNKNOWN, problem) for owner, record in entries)

        async with trio.open_nursery() as nursery:
            for folder, entries in folders.items():
                nursery.start_soon(look, folder, entries)
        return results

    async def _abort_undecided(self) -> None:
        """Abort the undecided drafts without a record.

        Recovery has published those with a record. If it could not, the record and the file stay.
        """
        if self._undecided:
            undecided = list(self._undecided)
            unfinished = {record.id for _, record in await self._journal.run(Journal.delivering)}
            decided = [each for each in undecided if each.record.id not in unfinished]
            self._undecided = [each for each in self._undecided if each not in decided]
            folders: dict[str, list[PendingDelivery]] = {}
            for each in decided:
                folders.setdefault(os.path.dirname(each.draft.tmp or ""), []).append(each)
            async with trio.open_nursery() as nursery:
                for folder, drafts in folders.items():
                    nursery.start_soon(self._abort, folder, drafts)

    async def _abort(self, folder: str, drafts: list[PendingDelivery]) -> None:
        """Abort drafts of one folder. If it hangs, they are aborted when it answers, and no session waits for that."""
        with contextlib.suppress(DestinationTimeout):
            await self._disks.of(folder, folder).run(abort, drafts, cleanup=partial(abort, drafts))


def _interrupted(journal: Journal) -> list[tuple[int, Record]]:
    """Return the unfinished messages whose receiver cannot be asked, or is a folder."""
    return [(owner, record) for owner, record in journal.delivering() if record.mark is None]


def _delivered(delivery: PendingDelivery) -> DeliveredMark:
    receipt = delivery.receipt.removeprefix("; ") if delivery.located else None
    return DeliveredMark(delivery.record.id, delivery.record.delete_pending, receipt or None)


def _answered(maildrop: int, record: Record, answer: Answer) -> Recovered:
    match answer:
        case Arrived(receipt):
            return Recovered(maildrop, record, RecoveryResult.ARRIVED, receipt=receipt)
        case Absent(reason):
            return Recovered(maildrop, record, RecoveryResult.ABSENT, reason=reason)
        case Unknown(error):
            return Recovered(maildrop, record, RecoveryResult.UNKNOWN, error)
