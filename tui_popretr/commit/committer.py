"""The committer: makes the messages of all sessions durable, in groups (docs/decisions/0005-group-commit.md)."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import trio

from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.pipeline import FilePipeline
from tui_popretr.commit.queue import DeliveryQueue
from tui_popretr.commit.recovery import Recovery
from tui_popretr.commit.remote import RemoteQueue
from tui_popretr.delivery.filesink import FileSink
from tui_popretr.delivery.remote import RemoteSink

#: Messages in a group, at most. A group also has at most a 16th of the files that the process may open, since a
#: pipeline may have twice as many open.
GROUP = 512
#: Threads that fsync files of one device.
THREADS = 4


class Committer:
    """One per process.

    `audit` hands audit lines to the system before it returns; it is called in a thread, and not while `audited` returns
    False. `timeout`: seconds for a call that uses a device. When it expires, the messages of that call fail.
    """

    def __init__(
        self,
        recovery: Recovery,
        audit: Callable[[Sequence[str]], None],
        timeout: float = math.inf,
        audited: Callable[[], bool] = lambda: True,
    ) -> None:
        self._audit = AuditWriter(audit, timeout, audited)
        self._common = recovery, self._audit, self._start
        self._timeout = timeout
        self._lanes: WeakValueDictionary[str, DeliveryQueue] = WeakValueDictionary()
        self._closing = trio.Event()
        self._nursery: trio.Nursery | None = None

    def lane(self, sink: FileSink | RemoteSink) -> DeliveryQueue:
        """Return the lane for a sink's messages. It exists while it is referenced or has work."""
        lane = self._lanes.get(sink.lane)
        if lane is None:
            if isinstance(sink, RemoteSink):
                lane = RemoteQueue(*self._common, sink)
            else:
                disk = BlockingWorker(sink.key, THREADS, self._timeout)
                lane = FilePipeline(*self._common, disk, group=_group(), threads=THREADS)
            self._lanes[sink.lane] = lane
            if self._closing.is_set():
                lane.close()
        return lane

    async def run(self) -> None:
        """Work until close(). After a cancellation, recovery finishes the deliveries that were interrupted."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for lane in list(self._lanes.values()):
                    self._start(lane)
                await self._closing.wait()
        finally:
            self._audit.close()

    def close(self) -> None:
        """Accept no further messages; run() ends when all are done."""
        self._closing.set()
        for lane in list(self._lanes.values()):
            lane.close()

    def _start(self, lane: DeliveryQueue) -> None:
        if self._nursery is not None and not lane.running and lane.waiting:
            lane.running = True
            self._nursery.start_soon(lane.run)


def _group() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return GROUP if files == resource.RLIM_INFINITY else max(1, min(GROUP, files // 16))
