"""Messages that are to be made durable, and the queue in which they wait: fair between maildrops, limited in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import trio

from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, PopretrError
from tui_popretr.journal.records import NewRecord

#: Octets of received messages that may wait in memory, per queue. When it is exceeded, put() waits.
MEMORY = 2 * 1024 * 1024
#: Seconds after which a queue without work ends.
IDLE = 5.0
#: A draft of a file, or a message for a server or a command.
AnyDraft = FileDraft | OutgoingMessage
D = TypeVar("D", bound=AnyDraft)


@dataclass(slots=True, eq=False)
class Pending(Generic[D]):
    """A draft, its record for the journal, and its outcome.

    It is sent to `outcomes` once: when the message is durable and recorded as delivered, or with `error`.
    """

    draft: D
    record: NewRecord
    outcomes: trio.MemorySendChannel[Pending[Any]]
    buffered: int = 0  # octets in memory when it was queued
    published: bool = False  # its file has the final name
    receipt: str = ""  # the receiver's reply, for the audit line
    error: PopretrError | None = None

    def finish(self, error: PopretrError | None = None) -> None:
        """Send it to `outcomes`, which must have room. `error` replaces an earlier one."""
        self.error = error or self.error
        self.outcomes.send_nowait(self)


PendingDelivery = Pending[Any]
PendingFile = Pending[FileDraft]


class FairQueue:
    """Pending deliveries: a maildrop with many does not delay the others. In a maildrop: first come, first served."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, deque[PendingDelivery]] = OrderedDict()  # by the maildrop's id; no deque is empty

    def __bool__(self) -> bool:
        return bool(self._of)

    @property
    def first(self) -> PendingDelivery | None:
        """What take() will return first, None if nothing waits."""
        return next((deliveries[0] for deliveries in self._of.values()), None)

    def append(self, delivery: PendingDelivery) -> None:
        self._of.setdefault(delivery.record.maildrop, deque()).append(delivery)

    def take(self, most: int) -> list[PendingDelivery]:
        """Remove and return at most `most` messages, at most half of them from one maildrop.

        Few maildrops in a group are better than many: the folders of each have to be fsynced.
        """
        share = -(-most // 2)
        taken: list[PendingDelivery] = []
        while self._of and len(taken) < most:
            maildrop, deliveries = self._of.popitem(last=False)
            taken += (deliveries.popleft() for _ in range(min(share, most - len(taken), len(deliveries))))
            if deliveries:  # after all others
                self._of[maildrop] = deliveries
        return taken


class DeliveryQueue(ABC):
    """Pending deliveries. Any number of tasks put messages; run() takes them from `_waiting`.

    `start` is called when there is work and run() has to be started, unless it is `running`.
    """

    def __init__(self, start: Callable[[DeliveryQueue], None]) -> None:
        self.running = False
        self._start = start
        self._waiting = FairQueue()
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._admission = trio.StrictFIFOLock()
        self._buffered = 0
        self._closing = False

    @property
    def waiting(self) -> bool:
        """Whether there are messages that run() has not taken."""
        return bool(self._waiting)

    @abstractmethod
    async def run(self) -> None:
        """Work until the queue has been empty for IDLE seconds, or is closed."""

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
        if not self.running:
            self._start(self)

    def _full_with(self, delivery: PendingDelivery) -> bool:
        return bool(self._buffered) and self._buffered + delivery.buffered > MEMORY

    async def wait(self) -> bool:
        """Wait for messages; return False when the worker is to end: after close(), or after IDLE seconds."""
        while not self._waiting:
            if self._closing:
                return False
            self._arrived = trio.Event()
            with trio.move_on_after(IDLE) as idle:
                await self._arrived.wait()
            if idle.cancelled_caught and not self._waiting:
                return False
        return True

    def release(self, deliveries: Iterable[PendingDelivery]) -> None:
        """Their octets are not in memory any more."""
        self._buffered -= sum(delivery.buffered for delivery in deliveries)
        self._room.set()

    def close(self) -> None:
        """Add no further messages; run() ends when all are done."""
        self._closing = True
        self._arrived.set()


def internal_error(defect: Exception) -> PopretrError:
    """Return the error to report for a defect that concerns a message."""
    return PopretrError(f"internal error: {type(defect).__name__}: {defect}", advice="please report this")


def is_refusal(problem: PopretrError | None) -> bool:
    """Whether the message was certainly not published."""
    return isinstance(problem, DeliveryFailed) and not isinstance(problem, DestinationTimeout)


def abort(deliveries: Iterable[PendingDelivery]) -> None:
    """Abort the drafts. Blocking."""
    for delivery in deliveries:
        delivery.draft.abort()
