"""The committer: makes messages durable in groups, across all sessions, in the one order that loses nothing.

For each message: file written and fsynced, its folders fsynced, *delivering* committed, published (rename), folder
fsynced, audit line written, *delivered* committed; only then is the session told, which may then send DELE (SPEC 5).

Groups keep fsync from being the bottleneck: whatever is waiting when the disk is free is the next group. Two stages
overlap, writing one group while the one before it is published, and one transaction carries the *delivered* of one
group and the *delivering* of the next (docs/decisions/0005-group-commit.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import trio

from tui_popretr.delivery.folders import sync_folder
from tui_popretr.delivery.sink import Draft
from tui_popretr.engine.keeper import JournalKeeper
from tui_popretr.errors import DeliveryFailed, JournalError, PopretrError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, NewRecord

#: A group is at most so many messages; so many threads sync its files.
GROUP = 128
THREADS = 8
#: Octets of finished messages that may wait in memory, of all sessions together; beyond that readers wait.
MEMORY = 8 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Parcel:
    """A message received whole, on its way to being durable.

    `done` is called once, in the engine's thread: with None when it is durable and the journal knows it, else with why
    not.
    """

    draft: Draft
    record: NewRecord
    done: Callable[[PopretrError | None], None]
    weight: int = 0
    finished: bool = field(default=False, init=False)

    def finish(self, problem: PopretrError | None) -> None:
        if not self.finished:
            self.finished = True
            self.done(problem)


class Committer:
    """One a process. `audit` writes audit lines through to the system before it returns; it is called in a thread."""

    def __init__(self, keeper: JournalKeeper, audit: Callable[[Sequence[str]], None]) -> None:
        self._keeper = keeper
        self._audit = audit
        #: Threads for the disk; sessions use them for what spills.
        self.disk = trio.CapacityLimiter(THREADS + 2)
        self._waiting: list[Parcel] = []
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._weight = 0
        self._undecided: list[Parcel] = []  # the journal failed over them: it may have their records or not
        self._closing = False

    async def put(self, parcel: Parcel) -> None:
        """Hand a message over; waits while too much is waiting in memory."""
        parcel.weight = parcel.draft.pending
        while self._weight and self._weight + parcel.weight > MEMORY:
            self._room = trio.Event() if self._room.is_set() else self._room
            await self._room.wait()
        self._weight += parcel.weight
        self._waiting.append(parcel)
        self._arrived.set()

    def close(self) -> None:
        """No further parcel comes: run() ends when all are done."""
        self._closing = True
        self._arrived.set()

    async def settle(self) -> None:
        """Remove the files of messages over which the journal failed, once it has been reopened and recovered.

        Recovery has published what the journal has records of (SPEC 5); where it could not, the file stays. Raises
        JournalError.
        """
        if self._undecided:
            undecided = list(self._undecided)
            unfinished = await self._keeper.run(_unfinished)
            decided = [] if unfinished is None else [each for each in undecided if each.record.id not in unfinished]
            self._undecided = [each for each in self._undecided if each not in decided]
            await self._in_thread(_abort, decided)

    async def run(self) -> None:
        """Work until close(). Cancelling it leaves what is unfinished to the recovery of the next session."""
        prepared, to_publish = trio.open_memory_channel[list[Parcel]](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._prepare_groups, prepared)
            nursery.start_soon(self._publish_groups, to_publish)

    # --- first stage: the files ---------------------------------------------------------------------------------------

    async def _prepare_groups(self, prepared: trio.MemorySendChannel[list[Parcel]]) -> None:
        async with prepared:
            while True:
                while not self._waiting:
                    if self._closing:
                        return
                    self._arrived = trio.Event()
                    await self._arrived.wait()
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                good = await self._write(group)
                self._weight -= sum(parcel.weight for parcel in group)
                self._room.set()
                if good:
                    await prepared.send(good)

    async def _write(self, group: list[Parcel]) -> list[Parcel]:
        """Write and fsync the files and the folders they are in; return the parcels that are durable so far."""
        problems: dict[int, PopretrError] = {}
        share = -(-len(group) // THREADS)
        async with trio.open_nursery() as nursery:
            for start in range(0, len(group), share):
                # All are written before the first is synced: the disk can work on them together.
                steps = ("write_out", "sync")
                nursery.start_soon(self._in_thread, _each, group[start : start + share], steps, problems)
        written = [parcel for parcel in group if parcel.record.id not in problems]
        await self._sync_folders({parcel.record.id: parcel.draft.folders_before() for parcel in written}, problems)
        failed = [parcel for parcel in group if parcel.record.id in problems]
        if failed:
            await self._in_thread(_abort, failed)
            for parcel in failed:
                parcel.finish(problems[parcel.record.id])
        return [parcel for parcel in group if parcel.record.id not in problems]

    # --- second stage: journal and publication ------------------------------------------------------------------------

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
            return True
        records = [parcel.record for parcel in delivering]
        marks = [DeliveredMark(parcel.record.id, parcel.record.owed) for parcel in delivered]
        try:
            await self._keeper.run(lambda journal: journal.commit(records, marks))
        except JournalError as problem:
            self._undecided += delivering
            for parcel in [*delivered, *delivering]:
                parcel.finish(problem)
            return False
        for parcel in delivered:
            parcel.finish(None)
        return True

    async def _publish(self, group: list[Parcel]) -> list[Parcel]:
        """Rename, fsync the folders, write the audit lines; return the parcels for which all that went well."""
        problems: dict[int, PopretrError] = {}
        await self._in_thread(_each, group, ("publish",), problems)
        refused = [parcel for parcel in group if isinstance(problems.get(parcel.record.id), DeliveryFailed)]
        if refused:
            await self._withdraw(refused, problems)
        published = [parcel for parcel in group if parcel.record.id not in problems]
        await self._sync_folders({parcel.record.id: parcel.draft.folders_after() for parcel in published}, problems)
        # After a failed fsync the names may be on disk or not: the record stays *delivering* and recovery looks.
        for parcel in group:
            if parcel.record.id in problems:
                parcel.finish(problems[parcel.record.id])
        good = [parcel for parcel in group if parcel.record.id not in problems]
        try:
            await self._in_thread(self._audit, [parcel.record.audit for parcel in good])
        except Exception as defect:  # noqa: BLE001 - recovery will write the lines
            for parcel in good:
                parcel.finish(_internal(defect))
            return []
        return good

    async def _withdraw(self, failed: list[Parcel], problems: dict[int, PopretrError]) -> None:
        """Take back what could not be published: first the record, then the file.

        The other way round a crash in between would look to recovery like a message that a mail reader took.
        """
        ids = [parcel.record.id for parcel in failed]
        try:
            await self._keeper.run(lambda journal: journal.withdraw(ids))
        except JournalError:
            self._undecided += failed  # the record may stay, so the file must stay too
        else:
            await self._in_thread(_abort, failed)
        for parcel in failed:
            parcel.finish(problems[parcel.record.id])

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _in_thread(self, function: Callable[..., None], *arguments: object) -> None:
        # A disk that hangs must not keep the process from ending at its last deadline; recovery sorts it out.
        await trio.to_thread.run_sync(function, *arguments, limiter=self.disk, abandon_on_cancel=True)

    async def _sync_folders(self, wanted: dict[int, Iterable[str]], problems: dict[int, PopretrError]) -> None:
        """fsync each folder once; note a failure for every message that needed it."""
        users: dict[str, list[int]] = {}
        for record, folders in wanted.items():
            for folder in folders:
                users.setdefault(folder, []).append(record)
        folders = list(users)
        share = -(-len(folders) // THREADS) or 1
        failures: dict[str, PopretrError] = {}
        async with trio.open_nursery() as nursery:
            for start in range(0, len(folders), share):
                nursery.start_soon(self._in_thread, _sync_each, folders[start : start + share], failures)
        for folder, problem in failures.items():
            for record in users[folder]:
                problems[record] = problem


def _each(parcels: list[Parcel], steps: tuple[str, ...], problems: dict[int, PopretrError]) -> None:
    """Do each step for all drafts before the next; who fails drops out, and costs the others nothing."""
    for step in steps:
        for parcel in parcels:
            if parcel.record.id not in problems:
                try:
                    getattr(parcel.draft, step)()
                except PopretrError as problem:
                    problems[parcel.record.id] = problem
                except Exception as defect:  # noqa: BLE001 - of one destination, perhaps
                    problems[parcel.record.id] = _internal(defect)


def _internal(defect: Exception) -> PopretrError:
    return PopretrError(f"internal error: {type(defect).__name__}: {defect}", advice="please report this")


def _unfinished(journal: Journal) -> set[int] | None:
    """The ids of the journal's unfinished records; None where it has failed again and cannot be relied upon."""
    return None if journal.broken else {record.id for _, record in journal.delivering()}


def _abort(parcels: list[Parcel]) -> None:
    for parcel in parcels:
        parcel.draft.abort()


def _sync_each(folders: list[str], failures: dict[str, PopretrError]) -> None:
    for folder in folders:
        try:
            sync_folder(folder)
        except DeliveryFailed as problem:
            failures[folder] = problem
