"""A lane: takes the messages for one device or connection through the steps of the package docstring, in groups.

Three stages overlap: while one group is published, the next one is fsynced, and the messages after it are written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.pending import PendingDelivery, abort, internal_error, is_refusal
from tui_popretr.commit.queue import DeliveryQueue
from tui_popretr.commit.recovery import Recovery
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, PopretrError
from tui_popretr.faultpoints import Step

#: Messages that are written in one call before the next stage gets them.
BATCH = 64


class Lane:
    """Made by the committer. `start` is called when there is work and run() has to be started."""

    def __init__(
        self,
        recovery: Recovery,
        audit: Callable[[Sequence[str]], None],
        audit_disk: BlockingWorker,
        disk: BlockingWorker,
        start: Callable[[Lane], None],
        *,
        group: int,
        threads: int,
    ) -> None:
        self.running = False
        self._recovery = recovery
        self._audit = audit
        self._audit_disk = audit_disk
        self._disk = disk
        self._group = group
        self._threads = threads
        self._start = start
        self._queue = DeliveryQueue()

    @property
    def waiting(self) -> bool:
        return bool(self._queue)

    async def put(self, delivery: PendingDelivery) -> None:
        """Add a message; waits until there is room for it."""
        await self._queue.put(delivery)
        self._start(self)

    def close(self) -> None:
        """Add no further messages; run() ends when all are done."""
        self._queue.close()

    async def run(self) -> None:
        """Work until the queue has been empty for some seconds."""
        try:
            await self._work_in_stages()
        finally:
            self._recovery.set_publishing(self, False)
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
            while await self._queue.wait():
                group = self._queue.take(most)
                good = await self._write(group)
                self._queue.release(group)
                if good:
                    await written.send(good)

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
        failure = await self._recovery.commit(self, delivering, delivered)
        for delivery in delivered if failure is None else [*delivered, *delivering]:
            delivery.finish(failure)
        return failure is None

    async def _publish(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        """Rename, fsync the folders, write the audit lines; return the messages without an error."""
        problems: dict[int, PopretrError] = {}
        await self._each(group, "publish", problems)
        refused = [delivery for delivery in group if is_refusal(problems.get(delivery.record.id))]
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
            await self._audit_disk.run(self._write_audit, good, problems)
        except DestinationTimeout as silence:
            problems.update((delivery.record.id, silence) for delivery in good)
        for delivery in good:
            if delivery.record.id in problems:
                delivery.finish(problems[delivery.record.id])
        return [delivery for delivery in good if delivery.record.id not in problems]

    def _write_audit(self, published: list[PendingDelivery], problems: dict[int, PopretrError]) -> None:
        try:
            self._audit([f"{delivery.record.audit}{delivery.draft.receipt()}" for delivery in published])
        except Exception as defect:  # noqa: BLE001 - recovery will write the lines
            problems.update((delivery.record.id, internal_error(defect)) for delivery in published)
        else:
            faultpoints.reached(Step.AUDITED)

    async def _withdraw(self, failed: list[PendingDelivery], problems: dict[int, PopretrError]) -> None:
        """Remove the records of messages that were not published, then their files."""
        if await self._recovery.withdraw({delivery: problems[delivery.record.id] for delivery in failed}):
            await self._abort(failed)
        for delivery in failed:
            delivery.finish(problems[delivery.record.id])

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _good(self, group: list[PendingDelivery], problems: dict[int, PopretrError]) -> list[PendingDelivery]:
        """Return the messages without an error. Abort and finish the others."""
        failed = [delivery for delivery in group if delivery.record.id in problems]
        if failed:
            await self._abort([each for each in failed if not isinstance(problems[each.record.id], DestinationTimeout)])
            for delivery in failed:
                delivery.finish(problems[delivery.record.id])
        return [delivery for delivery in group if delivery.record.id not in problems]

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


def _sync_each(folders: list[str]) -> dict[str, PopretrError]:
    failures: dict[str, PopretrError] = {}
    for folder in folders:
        try:
            sync_folder(folder)
        except DeliveryFailed as problem:
            failures[folder] = problem
    return failures
