"""The committer: makes the messages of all sessions durable, in lanes (docs/decisions/0005-group-commit.md)."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import trio

from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.commit.lane import Lane, Shared
from tui_popretr.commit.pending import PendingDelivery, abort
from tui_popretr.delivery.sink import Sink
from tui_popretr.journal.journal import Journal

#: Messages in a group, at most. A group also has at most a 16th of the files that the process may open, since a lane
#: may have twice as many open.
GROUP = 512
#: Threads that fsync files of one device.
THREADS = 4


class Committer:
    """One per process.

    `audit` hands audit lines to the system before it returns; it is called in a thread. `timeout`: seconds for a call
    that uses a device. When it expires, the messages of that call fail.
    """

    def __init__(
        self, keeper: JournalKeeper, audit: Callable[[Sequence[str]], None], timeout: float | None = None
    ) -> None:
        self._keeper = keeper
        self._shared = Shared(keeper, audit, BlockingWorker("the audit log", 1, timeout))
        self._timeout = timeout
        self._lanes: WeakValueDictionary[str, Lane] = WeakValueDictionary()
        self._started = trio.Event()
        self._closing = trio.Event()
        self._nursery: trio.Nursery | None = None

    def lane(self, sink: Sink) -> Lane:
        """Return the lane for a sink's messages. It exists while it is referenced or has work."""
        lane = self._lanes.get(sink.lane)
        if lane is None:
            threads, group = (1, 1) if sink.remote else (THREADS, _group())
            disk = BlockingWorker(sink.key, threads, None if sink.remote else self._timeout)
            self._lanes[sink.lane] = lane = Lane(
                self._shared, disk, self._start, remote=sink.remote, group=group, threads=threads
            )
            if self._closing.is_set():
                lane.close()
        return lane

    async def run(self) -> None:
        """Work until close(). After a cancellation, recovery finishes the deliveries that were interrupted."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for lane in list(self._lanes.values()):
                self._start(lane)
            await self._closing.wait()

    def close(self) -> None:
        """Accept no further messages; run() ends when all are done."""
        self._closing.set()
        for lane in list(self._lanes.values()):
            lane.close()

    async def wait_until_none_publishing(self) -> None:
        """Wait until no message is between its two commits. Necessary before a broken journal is reopened."""
        while self._shared.publishing:
            await self._shared.published.wait()

    async def abort_undecided(self) -> None:
        """Abort the undecided drafts without a record. The journal must have been reopened and recovered.

        Recovery has published those with a record. If it could not, the record and the file stay. Raises JournalError.
        """
        if self._shared.undecided:
            undecided = list(self._shared.undecided)
            unfinished = await self._keeper.run(_unfinished)
            decided = [each for each in undecided if each.record.id not in unfinished]
            self._shared.undecided = [each for each in self._shared.undecided if each not in decided]
            await trio.to_thread.run_sync(abort, decided, abandon_on_cancel=True)

    def _start(self, lane: Lane) -> None:
        if self._nursery is not None and not lane.running and lane.waiting:
            lane.running = True
            self._nursery.start_soon(lane.run)


def _group() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return GROUP if files == resource.RLIM_INFINITY else max(1, min(GROUP, files // 16))


def _unfinished(journal: Journal) -> set[int]:
    """The ids of the journal's unfinished records."""
    return {record.id for _, record in journal.delivering()}


__all__ = ["GROUP", "THREADS", "Committer", "PendingDelivery"]
