"""Messages into files: write, sync and publish, three steps over a list of messages.

The steps overlap: while one group is published, the next one is fsynced, and the messages after it are written. A
message that a step fails for has an `error`, and does not reach the next step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.queue import DeliveryQueue, PendingFile, abort, internal_error, is_refusal
from tui_popretr.commit.recovery import Recovery
from tui_popretr.delivery.folders import sync_folder
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, PopretrError
from tui_popretr.faultpoints import Step

#: Messages that are written in one call before the next step gets them.
BATCH = 64

#: A blocking function over messages. It returns the errors.
_Step = Callable[[list[PendingFile]], dict[PendingFile, PopretrError]]
_Cleanup = Callable[[list[PendingFile]], None]


class FilePipeline(DeliveryQueue):
    """The messages for one device. Made by the committer.

    `disk`: its threads, of which `threads` fsync at once. `group`: messages between their two commits, at most.
    """

    def __init__(
        self,
        recovery: Recovery,
        audit: AuditWriter,
        start: Callable[[DeliveryQueue], None],
        disk: BlockingWorker,
        *,
        group: int,
        threads: int,
    ) -> None:
        super().__init__(start)
        self._recovery = recovery
        self._audit = audit
        self._disk = disk
        self._group = group
        self._threads = threads

    async def run(self) -> None:
        written, to_sync = trio.open_memory_channel[list[PendingFile]](max(self._group // BATCH - 1, 0))
        synced, to_publish = trio.open_memory_channel[list[PendingFile]](0)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_groups, written)
                nursery.start_soon(self._sync_groups, to_sync, synced)
                nursery.start_soon(self._publish_groups, to_publish)
        finally:
            self._recovery.set_publishing(self, False)
            self.running = False
        self._start(self)  # for messages that arrived after the first step had ended

    # --- write: the files, into the system's memory -------------------------------------------------------------------

    async def _write_groups(self, written: trio.MemorySendChannel[list[PendingFile]]) -> None:
        async with written:
            while await self.wait():
                group = self._waiting.take(min(self._group, BATCH))
                await self._do(_write, group, abort)  # and start the writeback
                good = await self._without_failed(group)
                self.release(group)
                if good:
                    await written.send(good)

    # --- sync: the files, onto the disk -------------------------------------------------------------------------------

    async def _sync_groups(
        self,
        to_sync: trio.MemoryReceiveChannel[list[PendingFile]],
        synced: trio.MemorySendChannel[list[PendingFile]],
    ) -> None:
        async with to_sync, synced:
            async for group in to_sync:
                while len(group) + BATCH <= self._group:
                    try:
                        group += to_sync.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                good = await self._sync(group)
                if good:
                    await synced.send(good)

    async def _sync(self, group: list[PendingFile]) -> list[PendingFile]:
        """fsync the files and their folders; return the messages without an error."""
        if len(group) == 1:
            await self._do(_sync_with_folders, group, abort)
        else:
            # The first fsync writes the file system's journal, which covers all files. The other fsyncs are then short,
            # and run in parallel.
            await self._do(_sync, group[:1], abort)
            await self._do_shares(_sync, [[each] for each in group[1:]], abort)
            await self._do_shares(_sync_folders, _by_folder(_good(group)), abort)
        faultpoints.reached(Step.FOLDER_SYNCED)
        return await self._without_failed(group)

    # --- publish: between the two commits -----------------------------------------------------------------------------

    async def _publish_groups(self, to_publish: trio.MemoryReceiveChannel[list[PendingFile]]) -> None:
        published: list[PendingFile] = []
        async with to_publish:
            while True:
                try:
                    group = to_publish.receive_nowait()
                except trio.WouldBlock:
                    # There is no next group to share the transaction with.
                    await self._recovery.commit(self, [], published)
                    published = []
                    try:
                        group = await to_publish.receive()
                    except trio.EndOfChannel:
                        return
                except trio.EndOfChannel:
                    await self._recovery.commit(self, [], published)
                    return
                failure = await self._recovery.commit(self, group, published)
                if failure is None:
                    published = await self._publish(group)
                    continue
                published = []
                for delivery in group:  # the tmp files stay for recovery
                    delivery.finish(failure)

    async def _publish(self, group: list[PendingFile]) -> list[PendingFile]:
        """Rename, fsync the folders, write the audit lines; return the messages without an error."""
        await self._do_shares(_publish, _by_folder(group))
        # After a failed fsync the names may be on disk or not: the records stay *delivering* until recovery.
        refused = [each for each in group if is_refusal(each.error) and not each.published]
        if refused and await self._recovery.withdraw(refused):
            await self._abort(refused)
        for delivery in group:
            if delivery.error is not None:
                delivery.finish()
        faultpoints.reached(Step.NEW_SYNCED)
        return await self._audit.write(_good(group))

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _do(self, step: _Step, deliveries: list[PendingFile], cleanup: _Cleanup | None = None) -> None:
        """Run a step in a thread, and note the errors. `cleanup` is called after a call that has timed out."""
        try:
            errors = await self._disk.run(step, deliveries, cleanup=cleanup and partial(cleanup, deliveries))
        except DestinationTimeout as problem:
            errors = dict.fromkeys(deliveries, problem)
        for delivery, error in errors.items():
            delivery.error = error

    async def _without_failed(self, group: list[PendingFile]) -> list[PendingFile]:
        """Return the messages without an error. Abort and finish the others."""
        failed = [delivery for delivery in group if delivery.error is not None]
        # A call that has timed out aborts its drafts when it ends.
        await self._abort([each for each in failed if not isinstance(each.error, DestinationTimeout)])
        for delivery in failed:
            delivery.finish()
        return _good(group)

    async def _abort(self, deliveries: list[PendingFile]) -> None:
        if deliveries:
            with contextlib.suppress(DestinationTimeout):
                await self._disk.run(abort, deliveries, cleanup=partial(abort, deliveries))

    async def _do_shares(self, step: _Step, parts: list[list[PendingFile]], cleanup: _Cleanup | None = None) -> None:
        """Run a step in several threads. The messages of a part are in one of them."""
        share = -(-len(parts) // self._threads) or 1
        async with trio.open_nursery() as nursery:
            for start in range(0, len(parts), share):
                nursery.start_soon(self._do, step, list(chain.from_iterable(parts[start : start + share])), cleanup)


def _good(group: list[PendingFile]) -> list[PendingFile]:
    return [delivery for delivery in group if delivery.error is None]


def _by_folder(group: list[PendingFile]) -> list[list[PendingFile]]:
    """Divide the messages by their folders, so that each is fsynced in one thread, and once."""
    parts: dict[str, list[PendingFile]] = {}
    for delivery in group:
        parts.setdefault(delivery.draft.folder, []).append(delivery)
    return list(parts.values())


# --- in threads: they do not set `error`, because after a timeout the message may have another one --------------------


def _write(deliveries: list[PendingFile]) -> dict[PendingFile, PopretrError]:
    return _each(deliveries, lambda delivery: delivery.draft.flush())


def _sync(deliveries: list[PendingFile]) -> dict[PendingFile, PopretrError]:
    return _each(deliveries, lambda delivery: delivery.draft.fsync())


def _sync_folders(deliveries: list[PendingFile]) -> dict[PendingFile, PopretrError]:
    return _each_folder((delivery, delivery.draft.folders_before()) for delivery in deliveries)


def _sync_with_folders(deliveries: list[PendingFile]) -> dict[PendingFile, PopretrError]:
    return _sync(deliveries) or _sync_folders(deliveries)


def _publish(deliveries: list[PendingFile]) -> dict[PendingFile, PopretrError]:
    errors = _each(deliveries, _publish_one)
    published = (delivery for delivery in deliveries if delivery not in errors)
    return errors | _each_folder((delivery, (delivery.draft.folder,)) for delivery in published)


def _publish_one(delivery: PendingFile) -> None:
    delivery.draft.publish()
    delivery.published = True


def _each(deliveries: list[PendingFile], function: Callable[[PendingFile], None]) -> dict[PendingFile, PopretrError]:
    """Call the function; an error of one message does not concern the others."""
    errors: dict[PendingFile, PopretrError] = {}
    for delivery in deliveries:
        try:
            function(delivery)
        except PopretrError as error:
            errors[delivery] = error
        except Exception as defect:  # noqa: BLE001 - other destinations may work
            errors[delivery] = internal_error(defect)
    return errors


def _each_folder(wanted: Iterable[tuple[PendingFile, tuple[str, ...]]]) -> dict[PendingFile, PopretrError]:
    """fsync each folder once. A failure counts for every message that needs the folder."""
    users: dict[str, list[PendingFile]] = {}
    for delivery, folders in wanted:
        for folder in folders:
            users.setdefault(folder, []).append(delivery)
    errors: dict[PendingFile, PopretrError] = {}
    for folder, deliveries in users.items():
        try:
            sync_folder(folder)
        except DeliveryFailed as error:
            errors.update(dict.fromkeys(deliveries, error))
    return errors
