"""A lane: takes the messages for one device or connection through the steps of the package docstring, in groups.

Three stages overlap: while one group is published, the next one is fsynced, and the messages after it are written.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.fair_queue import FairQueue
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.commit.pending import PendingDelivery, abort, internal_error
from tui_popretr.commit.remote import RemoteDelivery, RemoteFailure
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, PartlyAccepted, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import DeliveredMark

#: Octets of received messages that may wait in memory, per lane. When it is exceeded, put() waits.
MEMORY = 2 * 1024 * 1024
#: Messages that are written in one call before the next stage gets them.
BATCH = 64
#: Seconds after which a lane without work ends.
IDLE = 5.0


@dataclass(slots=True)
class Shared:
    """The state that all lanes share."""

    keeper: JournalKeeper
    audit: Callable[[Sequence[str]], None]
    audit_disk: BlockingWorker
    #: A commit of their records failed: the journal may have them or not.
    undecided: list[PendingDelivery] = field(default_factory=list)
    #: The number of lanes with messages between their two commits. `published` is set when it decreases.
    publishing: int = 0
    published: trio.Event = field(default_factory=trio.Event)

    def end_publishing(self) -> None:
        self.publishing -= 1
        self.published.set()
        self.published = trio.Event()


class Lane:
    """Made by the committer. `start` is called when there is work and run() has to be started."""

    def __init__(
        self,
        shared: Shared,
        disk: BlockingWorker,
        start: Callable[[Lane], None],
        *,
        remote: bool,
        group: int,
        threads: int,
    ) -> None:
        self.running = False
        self._remote = remote
        self._shared = shared
        self._disk = disk
        self._group = group
        self._threads = threads
        self._start = start
        self._waiting = FairQueue()
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._admission = trio.StrictFIFOLock()
        self._buffered = 0
        self._closing = False
        self._publishing = False

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    async def put(self, delivery: PendingDelivery) -> None:
        """Add a message; waits while MEMORY is exceeded."""
        delivery.buffered = delivery.draft.pending
        if self._full_with(delivery):
            async with self._admission:  # first come, first served
                while self._full_with(delivery):
                    self._room = trio.Event()
                    await self._room.wait()
        self._buffered += delivery.buffered
        self._waiting.append(delivery)
        self._arrived.set()
        self._start(self)

    def _full_with(self, delivery: PendingDelivery) -> bool:
        return bool(self._buffered) and self._buffered + delivery.buffered > MEMORY

    def close(self) -> None:
        """Add no further messages; run() ends when all are done."""
        self._closing = True
        self._arrived.set()

    async def run(self) -> None:
        """Work until the queue has been empty for IDLE seconds."""
        try:
            await (self._hand_over_groups() if self._remote else self._work_in_stages())
        finally:
            self._set_publishing(False)
            self.running = False
        self._start(self)  # for messages that arrived after the first stage had ended

    async def _work_in_stages(self) -> None:
        written, to_sync = trio.open_memory_channel[list[PendingDelivery]](max(self._group // BATCH - 1, 0))
        prepared, to_publish = trio.open_memory_channel[list[PendingDelivery]](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_groups, written)
            nursery.start_soon(self._sync_groups, to_sync, prepared)
            nursery.start_soon(self._publish_groups, to_publish)

    # --- first stage: the files, into the system's memory -------------------------------------------------------------

    async def _write_groups(self, written: trio.MemorySendChannel[list[PendingDelivery]]) -> None:
        most = min(self._group, BATCH)
        async with written:
            while await self._something_waits():
                group = self._waiting.take(most)
                good = await self._write(group)
                self._buffered -= sum(delivery.buffered for delivery in group)
                self._room.set()
                if good:
                    await written.send(good)

    async def _something_waits(self) -> bool:
        """Wait for messages; return False when the lane is to end."""
        while not self._waiting:
            if self._closing:
                return False
            self._arrived = trio.Event()
            with trio.move_on_after(IDLE) as idle:
                await self._arrived.wait()
            if idle.cancelled_caught and not self._waiting:
                return False
        return True

    async def _write(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        """Write the files and start the writeback; return the messages without an error."""
        problems: dict[int, PopretrError] = {}
        await self._each(group, "write_out", problems, cleanup=abort)
        return await self._good(group, problems)

    # --- second stage: the files, onto the disk -----------------------------------------------------------------------

    async def _sync_groups(
        self,
        to_sync: trio.MemoryReceiveChannel[list[PendingDelivery]],
        prepared: trio.MemorySendChannel[list[PendingDelivery]],
    ) -> None:
        async with to_sync, prepared:
            async for group in to_sync:
                while len(group) + BATCH <= self._group:
                    try:
                        group += to_sync.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                good = await self._sync(group)
                if good:
                    await prepared.send(good)

    async def _sync(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        """fsync the files and their folders; return the messages without an error."""
        problems: dict[int, PopretrError] = {}
        # The first fsync writes the file system's journal, which covers all files. The other fsyncs are then short, and
        # run in parallel.
        await self._sync_files(group[:1], problems)
        share = -(-len(group) // self._threads)
        async with trio.open_nursery() as nursery:
            for start in range(1, len(group), share):
                nursery.start_soon(self._sync_files, group[start : start + share], problems)
        synced = [delivery for delivery in group if delivery.record.id not in problems]
        await self._sync_folders({delivery.record.id: delivery.draft.folders_before() for delivery in synced}, problems)
        faultpoints.reached(Step.FOLDER_SYNCED)
        if silent := [
            delivery for delivery in synced if isinstance(problems.get(delivery.record.id), DestinationTimeout)
        ]:
            self._disk.run_in_background(partial(abort, silent))
        return await self._good(group, problems)

    async def _sync_files(self, deliveries: list[PendingDelivery], problems: dict[int, PopretrError]) -> None:
        await self._each(deliveries, "sync", problems, cleanup=abort)

    # --- third stage: journal and publication -------------------------------------------------------------------------

    async def _publish_groups(self, prepared: trio.MemoryReceiveChannel[list[PendingDelivery]]) -> None:
        published: list[PendingDelivery] = []
        async with prepared:
            while True:
                try:
                    group = prepared.receive_nowait()
                except trio.WouldBlock:
                    # There is no next group to share the transaction with.
                    await self._commit([], published)
                    published = []
                    try:
                        group = await prepared.receive()
                    except trio.EndOfChannel:
                        return
                except trio.EndOfChannel:
                    await self._commit([], published)
                    return
                if await self._commit(group, published):
                    published = await self._publish(group)
                else:
                    published = []

    async def _commit(self, delivering: list[PendingDelivery], delivered: list[PendingDelivery]) -> bool:
        """Make one transaction; return whether it succeeded. After an error the tmp files stay for recovery."""
        if not delivering and not delivered:
            self._set_publishing(False)
            return True
        records = [delivery.record for delivery in delivering]
        marks = [DeliveredMark(delivery.record.id, delivery.record.delete_pending) for delivery in delivered]
        if delivering:
            self._set_publishing(True)
        problem: JournalError | None = None
        try:
            await self._shared.keeper.run(lambda journal: journal.commit(records, marks))
        except JournalError as failure:
            problem = failure
        else:
            if delivering:
                faultpoints.reached(Step.DELIVERING)
            if delivered:
                faultpoints.reached(Step.DELIVERED)
        for delivery in delivered:
            delivery.finish(problem)
        if problem is not None:
            self._shared.undecided += delivering
            for delivery in delivering:
                delivery.finish(problem)
        self._set_publishing(bool(delivering) and problem is None)
        return problem is None

    async def _publish(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        """Rename, fsync the folders, write the audit lines; return the messages without an error."""
        problems: dict[int, PopretrError] = {}
        await self._each(group, "publish", problems)
        refused = [delivery for delivery in group if _is_refusal(problems.get(delivery.record.id))]
        if refused:
            await self._withdraw(refused, problems)
        published = [delivery for delivery in group if delivery.record.id not in problems]
        await self._sync_folders(
            {delivery.record.id: delivery.draft.folders_after() for delivery in published}, problems
        )
        faultpoints.reached(Step.NEW_SYNCED)
        # After a failed fsync the names may be on disk or not: the records stay *delivering* until recovery.
        good = [delivery for delivery in group if delivery.record.id not in problems]
        for delivery in group:
            if delivery.record.id in problems:
                delivery.finish(problems[delivery.record.id])
        try:
            await self._shared.audit_disk.run(self._write_audit, good, problems)
        except DestinationTimeout as silence:
            problems.update((delivery.record.id, silence) for delivery in good)
        for delivery in good:
            if delivery.record.id in problems:
                delivery.finish(problems[delivery.record.id])
        return [delivery for delivery in good if delivery.record.id not in problems]

    def _write_audit(self, published: list[PendingDelivery], problems: dict[int, PopretrError]) -> None:
        try:
            self._shared.audit([f"{delivery.record.audit}{delivery.draft.receipt()}" for delivery in published])
        except Exception as defect:  # noqa: BLE001 - recovery will write the lines
            problems.update((delivery.record.id, internal_error(defect)) for delivery in published)
        else:
            faultpoints.reached(Step.AUDITED)

    async def _withdraw(self, failed: list[PendingDelivery], problems: dict[int, PopretrError]) -> None:
        """Remove the records of messages that were not published, then their files.

        In the other order, after a crash in between, recovery would assume that a mail reader took the message.
        """
        accepted = {
            delivery.record.id: problem.accepted
            for delivery in failed
            if isinstance(problem := problems[delivery.record.id], PartlyAccepted)
        }
        ids = [delivery.record.id for delivery in failed]
        try:
            await self._shared.keeper.run(lambda journal: journal.withdraw(ids, accepted))
        except JournalError:
            self._shared.undecided += failed  # the record may stay, so the file must stay too
        else:
            faultpoints.reached(Step.WITHDRAWN)
            await self._abort(failed)
        for delivery in failed:
            delivery.finish(problems[delivery.record.id])

    # --- to a server or command: all stages in one --------------------------------------------------------------------

    async def _hand_over_groups(self) -> None:
        delivered: list[PendingDelivery] = []
        while True:
            if not self._waiting:  # there is no next message to share the transaction with
                await self._commit([], delivered)
                delivered = []
            if not await self._something_waits():
                return
            delivered = await self._deliver(self._waiting.take(BATCH), delivered)

    async def _deliver(self, group: list[PendingDelivery], delivered: list[PendingDelivery]) -> list[PendingDelivery]:
        """Send a group. `delivered` was sent before, and is committed with the first; return the last one sent."""
        token = trio.lowlevel.current_trio_token()

        def on_commit(delivery: PendingDelivery, before: list[PendingDelivery], problem: BaseException | None) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(self._on_commit, delivery, before, problem)

        self._set_publishing(True)
        remote = RemoteDelivery(self._shared.keeper, self._shared.audit, on_commit, deque(group), delivered)
        try:
            while (failure := await self._disk.run(remote.run)) is not None:
                await self._end(failure)
        finally:
            remote.stop()  # after a cancellation the thread sends nothing more, and is not waited for
        self._set_publishing(bool(remote.delivered))
        return remote.delivered

    def _on_commit(
        self, delivery: PendingDelivery, before: list[PendingDelivery], problem: BaseException | None
    ) -> None:
        """Take the result of a transaction."""
        self._buffered -= delivery.buffered
        self._room.set()
        if problem is None or isinstance(problem, PopretrError):  # else it ends the program
            for each in before:
                each.finish(problem)

    async def _end(self, failure: RemoteFailure) -> None:
        """Withdraw a message that was refused. One that may have been delivered stays *delivering*."""
        delivery, problem = failure.delivery, failure.problem
        if not failure.recorded:
            self._shared.undecided.append(delivery)
        elif _is_refusal(problem):
            await self._withdraw([delivery], {delivery.record.id: problem})
        delivery.finish(problem)

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _good(self, group: list[PendingDelivery], problems: dict[int, PopretrError]) -> list[PendingDelivery]:
        """Return the messages without an error. Abort and finish the others."""
        failed = [delivery for delivery in group if delivery.record.id in problems]
        if failed:
            await self._abort([each for each in failed if not isinstance(problems[each.record.id], DestinationTimeout)])
            for delivery in failed:
                delivery.finish(problems[delivery.record.id])
        return [delivery for delivery in group if delivery.record.id not in problems]

    def _set_publishing(self, now: bool) -> None:
        if now and not self._publishing:
            self._shared.publishing += 1
        elif self._publishing and not now:
            self._shared.end_publishing()
        self._publishing = now

    async def _each(
        self,
        deliveries: list[PendingDelivery],
        step: str,
        problems: dict[int, PopretrError],
        cleanup: Callable[[list[PendingDelivery]], None] | None = None,
    ) -> None:
        """Call a method of all drafts. `cleanup` is called after a call that has timed out."""
        found: dict[int, PopretrError] = {}
        try:
            await self._disk.run(_each, deliveries, step, found, cleanup=cleanup and partial(cleanup, deliveries))
        except DestinationTimeout as silence:
            problems.update((delivery.record.id, silence) for delivery in deliveries)
        else:
            problems.update(found)

    async def _abort(self, deliveries: list[PendingDelivery]) -> None:
        if deliveries:
            with contextlib.suppress(DestinationTimeout):
                await self._disk.run(abort, deliveries, cleanup=partial(abort, deliveries))

    async def _sync_folders(self, wanted: dict[int, Iterable[str]], problems: dict[int, PopretrError]) -> None:
        """fsync each folder once. A failure counts for every message that needs the folder."""
        users: dict[str, list[int]] = {}
        for record, folders in wanted.items():
            for folder in folders:
                users.setdefault(folder, []).append(record)
        folders = list(users)
        share = -(-len(folders) // self._threads) or 1
        failures: dict[str, PopretrError] = {}
        async with trio.open_nursery() as nursery:
            for start in range(0, len(folders), share):
                nursery.start_soon(self._sync_share, folders[start : start + share], failures)
        for folder, problem in failures.items():
            for record in users[folder]:
                problems[record] = problem

    async def _sync_share(self, folders: list[str], failures: dict[str, PopretrError]) -> None:
        try:
            failures.update(await self._disk.run(_sync_each, folders))
        except DestinationTimeout as silence:
            failures.update((folder, silence) for folder in folders)


def _each(deliveries: list[PendingDelivery], step: str, problems: dict[int, PopretrError]) -> None:
    """Call a method of all drafts; errors of one draft do not concern the others."""
    for delivery in deliveries:
        try:
            getattr(delivery.draft, step)()
        except PopretrError as problem:
            problems[delivery.record.id] = problem
        except Exception as defect:  # noqa: BLE001 - other destinations may work
            problems[delivery.record.id] = internal_error(defect)


def _is_refusal(problem: PopretrError | None) -> bool:
    """Whether the message was certainly not published."""
    return isinstance(problem, DeliveryFailed) and not isinstance(problem, DestinationTimeout)


def _sync_each(folders: list[str]) -> dict[str, PopretrError]:
    failures: dict[str, PopretrError] = {}
    for folder in folders:
        try:
            sync_folder(folder)
        except DeliveryFailed as problem:
            failures[folder] = problem
    return failures
