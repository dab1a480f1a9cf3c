"""A lane: the messages for one device or connection, made durable in groups.

For each message: file written and fsynced, its folders fsynced, *delivering* committed, published (rename), folder
fsynced, audit line written, *delivered* committed; only then is the session told, which may then send DELE (SPEC 5).

Groups keep fsync from being the bottleneck: whatever is waiting when the disk is free is the next group. Three stages
overlap: while one group is published, the next is made durable, and what comes behind it is written. One transaction
carries the *delivered* of one group and the *delivering* of the next.

What goes to a server or a program has no files, and goes one by one (handover.py).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import Disk
from tui_popretr.commit.fair_queue import Turns
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.commit.pending import Parcel, abort, internal_error
from tui_popretr.commit.remote import Failure, Handover
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, PartlyAccepted, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import DeliveredMark

#: Octets of finished messages that may wait in memory, in a lane; beyond that readers wait.
MEMORY = 2 * 1024 * 1024
#: So many messages at most are written at once, before the next stage may have them.
BATCH = 64
#: A lane without work ends after so many seconds.
IDLE = 5.0


@dataclass(slots=True)
class Shared:
    """What all lanes share."""

    keeper: JournalKeeper
    audit: Callable[[Sequence[str]], None]
    audit_disk: Disk
    #: The journal failed over them: it may have their records or not.
    undecided: list[Parcel] = field(default_factory=list)
    #: So many lanes have messages between their two commits; `published` is set when that changes.
    publishing: int = 0
    published: trio.Event = field(default_factory=trio.Event)

    def end_publishing(self) -> None:
        self.publishing -= 1
        self.published.set()
        self.published = trio.Event()


class Lane:
    """Made by the committer. It works while there is something to do: `start` is asked for that."""

    def __init__(
        self, shared: Shared, disk: Disk, start: Callable[[Lane], None], *, remote: bool, group: int, threads: int
    ) -> None:
        self.running = False
        self._remote = remote
        self._shared = shared
        self._disk = disk
        self._group = group
        self._threads = threads
        self._start = start
        self._waiting = Turns()
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._door = trio.StrictFIFOLock()
        self._weight = 0
        self._closing = False
        self._publishing = False

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    async def put(self, parcel: Parcel) -> None:
        """Hand a message over; waits while too much is waiting in memory."""
        parcel.weight = parcel.draft.pending
        if self._full_with(parcel):
            async with self._door:  # who has filled the room comes back to the end of the queue
                while self._full_with(parcel):
                    self._room = trio.Event()
                    await self._room.wait()
        self._weight += parcel.weight
        self._waiting.append(parcel)
        self._arrived.set()
        self._start(self)

    def _full_with(self, parcel: Parcel) -> bool:
        return bool(self._weight) and self._weight + parcel.weight > MEMORY

    def close(self) -> None:
        """No further parcel comes: the lane ends when all are done."""
        self._closing = True
        self._arrived.set()

    async def run(self) -> None:
        """Work until there has been nothing to do for a while."""
        try:
            await (self._hand_over_groups() if self._remote else self._work_in_stages())
        finally:
            self._between_commits(False)
            self.running = False
        self._start(self)  # what came when the first stage had ended already

    async def _work_in_stages(self) -> None:
        written, to_sync = trio.open_memory_channel[list[Parcel]](max(self._group // BATCH - 1, 0))
        prepared, to_publish = trio.open_memory_channel[list[Parcel]](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_groups, written)
            nursery.start_soon(self._sync_groups, to_sync, prepared)
            nursery.start_soon(self._publish_groups, to_publish)

    # --- first stage: the files, into the system's memory -------------------------------------------------------------

    async def _write_groups(self, written: trio.MemorySendChannel[list[Parcel]]) -> None:
        most = min(self._group, BATCH)
        async with written:
            while await self._something_waits():
                group = self._waiting.take(most)
                good = await self._write(group)
                self._weight -= sum(parcel.weight for parcel in group)
                self._room.set()
                if good:
                    await written.send(good)

    async def _something_waits(self) -> bool:
        """Wait for messages; False when it is time to end."""
        while not self._waiting:
            if self._closing:
                return False
            self._arrived = trio.Event()
            with trio.move_on_after(IDLE) as idle:
                await self._arrived.wait()
            if idle.cancelled_caught and not self._waiting:
                return False
        return True

    async def _write(self, group: list[Parcel]) -> list[Parcel]:
        """Write the files, which starts the disk on them; return the parcels for which that went well."""
        problems: dict[int, PopretrError] = {}
        await self._each(group, "write_out", problems, late=abort)
        return await self._good(group, problems)

    # --- second stage: the files, onto the disk -----------------------------------------------------------------------

    async def _sync_groups(
        self, to_sync: trio.MemoryReceiveChannel[list[Parcel]], prepared: trio.MemorySendChannel[list[Parcel]]
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

    async def _sync(self, group: list[Parcel]) -> list[Parcel]:
        """fsync the files and the folders they are in; return the parcels that are durable so far."""
        problems: dict[int, PopretrError] = {}
        # With the first, the file system's journal goes to disk for all of them: what is left is short, and the disk
        # can do several at once.
        await self._sync_files(group[:1], problems)
        share = -(-len(group) // self._threads)
        async with trio.open_nursery() as nursery:
            for start in range(1, len(group), share):
                nursery.start_soon(self._sync_files, group[start : start + share], problems)
        synced = [parcel for parcel in group if parcel.record.id not in problems]
        await self._sync_folders({parcel.record.id: parcel.draft.folders_before() for parcel in synced}, problems)
        faultpoints.reached(Step.FOLDER_SYNCED)
        if silent := [parcel for parcel in synced if isinstance(problems.get(parcel.record.id), DestinationTimeout)]:
            self._disk.some_day(partial(abort, silent))
        return await self._good(group, problems)

    async def _sync_files(self, parcels: list[Parcel], problems: dict[int, PopretrError]) -> None:
        await self._each(parcels, "sync", problems, late=abort)

    # --- third stage: journal and publication -------------------------------------------------------------------------

    async def _publish_groups(self, prepared: trio.MemoryReceiveChannel[list[Parcel]]) -> None:
        published: list[Parcel] = []
        async with prepared:
            while True:
                try:
                    group = prepared.receive_nowait()
                except trio.WouldBlock:
                    # Nothing to share the transaction with: what is published becomes delivered now.
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

    async def _commit(self, delivering: list[Parcel], delivered: list[Parcel]) -> bool:
        """One transaction. Where it fails nothing is deleted anywhere: tmp files stay for the recovery to judge."""
        if not delivering and not delivered:
            self._between_commits(False)
            return True
        records = [parcel.record for parcel in delivering]
        marks = [DeliveredMark(parcel.record.id, parcel.record.delete_pending) for parcel in delivered]
        if delivering:
            self._between_commits(True)
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
        for parcel in delivered:
            parcel.finish(problem)
        if problem is not None:
            self._shared.undecided += delivering
            for parcel in delivering:
                parcel.finish(problem)
        self._between_commits(bool(delivering) and problem is None)
        return problem is None

    async def _publish(self, group: list[Parcel]) -> list[Parcel]:
        """Rename, fsync the folders, write the audit lines; return the parcels for which all that went well."""
        problems: dict[int, PopretrError] = {}
        await self._each(group, "publish", problems)
        refused = [parcel for parcel in group if _is_refusal(problems.get(parcel.record.id))]
        if refused:
            await self._withdraw(refused, problems)
        published = [parcel for parcel in group if parcel.record.id not in problems]
        await self._sync_folders({parcel.record.id: parcel.draft.folders_after() for parcel in published}, problems)
        faultpoints.reached(Step.NEW_SYNCED)
        # After a failed fsync the names may be on disk or not: the record stays *delivering* and recovery looks.
        good = [parcel for parcel in group if parcel.record.id not in problems]
        for parcel in group:
            if parcel.record.id in problems:
                parcel.finish(problems[parcel.record.id])
        try:
            await self._shared.audit_disk.run(self._write_audit, good, problems)
        except DestinationTimeout as silence:
            problems.update((parcel.record.id, silence) for parcel in good)
        for parcel in good:
            if parcel.record.id in problems:
                parcel.finish(problems[parcel.record.id])
        return [parcel for parcel in good if parcel.record.id not in problems]

    def _write_audit(self, published: list[Parcel], problems: dict[int, PopretrError]) -> None:
        try:
            self._shared.audit([f"{parcel.record.audit}{parcel.draft.receipt()}" for parcel in published])
        except Exception as defect:  # noqa: BLE001 - recovery will write the lines
            problems.update((parcel.record.id, internal_error(defect)) for parcel in published)
        else:
            faultpoints.reached(Step.AUDITED)

    async def _withdraw(self, failed: list[Parcel], problems: dict[int, PopretrError]) -> None:
        """Take back what could not be published: first the record, then the file.

        The other way round a crash in between would look to recovery like a message that a mail reader took.
        """
        accepted = {
            parcel.record.id: problem.accepted
            for parcel in failed
            if isinstance(problem := problems[parcel.record.id], PartlyAccepted)
        }
        ids = [parcel.record.id for parcel in failed]
        try:
            await self._shared.keeper.run(lambda journal: journal.withdraw(ids, accepted))
        except JournalError:
            self._shared.undecided += failed  # the record may stay, so the file must stay too
        else:
            faultpoints.reached(Step.WITHDRAWN)
            await self._abort(failed)
        for parcel in failed:
            parcel.finish(problems[parcel.record.id])

    # --- to a server or program, all three in one ---------------------------------------------------------------------

    async def _hand_over_groups(self) -> None:
        delivered: list[Parcel] = []
        while True:
            if not self._waiting:  # nothing to share the transaction with
                await self._commit([], delivered)
                delivered = []
            if not await self._something_waits():
                return
            delivered = await self._hand_over(self._waiting.take(BATCH), delivered)

    async def _hand_over(self, group: list[Parcel], delivered: list[Parcel]) -> list[Parcel]:
        """Hand these over, and make what was before delivered; return what has become that since."""
        token = trio.lowlevel.current_trio_token()

        def settled(parcel: Parcel, before: list[Parcel], problem: BaseException | None) -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(self._settled, parcel, before, problem)

        self._between_commits(True)
        handover = Handover(self._shared.keeper, self._shared.audit, settled, deque(group), delivered)
        try:
            while (failure := await self._disk.run(handover.run)) is not None:
                await self._end(failure)
        finally:
            handover.stop()  # who is cancelled does not wait for the thread, nor is any more sent
        self._between_commits(bool(handover.delivered))
        return handover.delivered

    def _settled(self, parcel: Parcel, before: list[Parcel], problem: BaseException | None) -> None:
        """Note the end of a transaction."""
        self._weight -= parcel.weight
        self._room.set()
        if problem is None or isinstance(problem, PopretrError):  # else it ends the program
            for each in before:
                each.finish(problem)

    async def _end(self, failure: Failure) -> None:
        """Withdraw what was refused. What may have been delivered stays *delivering*."""
        parcel, problem = failure.parcel, failure.problem
        if not failure.recorded:
            self._shared.undecided.append(parcel)
        elif _is_refusal(problem):
            await self._withdraw([parcel], {parcel.record.id: problem})
        parcel.finish(problem)

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _good(self, group: list[Parcel], problems: dict[int, PopretrError]) -> list[Parcel]:
        """Return the parcels without a problem; the others are ended, and nothing of them stays behind."""
        failed = [parcel for parcel in group if parcel.record.id in problems]
        if failed:
            await self._abort([each for each in failed if not isinstance(problems[each.record.id], DestinationTimeout)])
            for parcel in failed:
                parcel.finish(problems[parcel.record.id])
        return [parcel for parcel in group if parcel.record.id not in problems]

    def _between_commits(self, now: bool) -> None:
        if now and not self._publishing:
            self._shared.publishing += 1
        elif self._publishing and not now:
            self._shared.end_publishing()
        self._publishing = now

    async def _each(
        self,
        parcels: list[Parcel],
        step: str,
        problems: dict[int, PopretrError],
        late: Callable[[list[Parcel]], None] | None = None,
    ) -> None:
        """Do a step for all drafts. `late` cleans up after a call that nobody waits for any more."""
        found: dict[int, PopretrError] = {}
        try:
            await self._disk.run(_each, parcels, step, found, late=late and partial(late, parcels))
        except DestinationTimeout as silence:
            problems.update((parcel.record.id, silence) for parcel in parcels)
        else:
            problems.update(found)

    async def _abort(self, parcels: list[Parcel]) -> None:
        if parcels:
            with contextlib.suppress(DestinationTimeout):
                await self._disk.run(abort, parcels, late=partial(abort, parcels))

    async def _sync_folders(self, wanted: dict[int, Iterable[str]], problems: dict[int, PopretrError]) -> None:
        """fsync each folder once; note a failure for every message that needed it."""
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


def _each(parcels: list[Parcel], step: str, problems: dict[int, PopretrError]) -> None:
    """Do a step for all drafts; one that fails costs the others nothing."""
    for parcel in parcels:
        try:
            getattr(parcel.draft, step)()
        except PopretrError as problem:
            problems[parcel.record.id] = problem
        except Exception as defect:  # noqa: BLE001 - of one destination, perhaps
            problems[parcel.record.id] = internal_error(defect)


def _is_refusal(problem: PopretrError | None) -> bool:
    """Whether the message was surely not published."""
    return isinstance(problem, DeliveryFailed) and not isinstance(problem, DestinationTimeout)


def _sync_each(folders: list[str]) -> dict[str, PopretrError]:
    failures: dict[str, PopretrError] = {}
    for folder in folders:
        try:
            sync_folder(folder)
        except DeliveryFailed as problem:
            failures[folder] = problem
    return failures
