"""Messages to a server or a command, one after the other.

Each message is sent while the journal writes its record together with *delivered* of the one before, and its end is
sent when that is durable. So at most one message is between its two commits, and may be sent twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.pending import PendingDelivery, internal_error, is_refusal
from tui_popretr.commit.queue import DeliveryQueue
from tui_popretr.commit.recovery import Recovery
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import JournalError, PopretrError

#: Sends a message (RemoteSink.send).
Send = Callable[[Draft, BeforeEnd], Awaitable[str]]


class RemoteQueue:
    """The queue of one session's server or command. Made by the committer.

    `start` is called when there is work and run() has to be started.
    """

    def __init__(
        self,
        send: Send,
        recovery: Recovery,
        audit: AuditWriter,
        start: Callable[[RemoteQueue], None],
    ) -> None:
        self.running = False
        self._send = send
        self._recovery = recovery
        self._audit = audit
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
        sent: list[PendingDelivery] = []  # not recorded as delivered yet: at most one
        try:
            while True:
                if not self._queue:  # there is no next message to share the transaction with
                    await self._commit([], sent)
                    sent = []
                if not await self._queue.wait():
                    break
                (delivery,) = self._queue.take(1)
                sent = await self._deliver(delivery, sent)
        finally:
            self._recovery.set_publishing(self, False)
            self.running = False
        self._start(self)  # for messages that have arrived meanwhile

    async def _deliver(self, delivery: PendingDelivery, before: list[PendingDelivery]) -> list[PendingDelivery]:
        """Send a message, and record that the one before is delivered; return the messages that were sent."""
        durable = trio.Event()
        failure: JournalError | None = None

        async def commit() -> None:
            nonlocal failure
            failure = await self._commit([delivery], before)
            durable.set()

        async def before_end() -> None:
            await durable.wait()
            if failure is not None:
                raise failure

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            try:
                delivery.receipt = await self._send(delivery.draft, before_end)
            except PopretrError as error:
                delivery.error = error
            except Exception as defect:  # noqa: BLE001 - other destinations may work
                delivery.error = internal_error(defect)
        delivery.draft.abort()  # it has no file, and no other connection needs it
        if failure is None and delivery.error is None:
            return [delivery]
        if failure is None and is_refusal(delivery.error):
            await self._recovery.withdraw([delivery])
        delivery.finish(failure)
        self._recovery.set_publishing(self, False)
        return []

    async def _commit(self, delivering: list[PendingDelivery], sent: list[PendingDelivery]) -> JournalError | None:
        """Write the audit lines of the messages that were sent, and make one transaction."""
        audited = await self._audit.write(sent)
        failure = await self._recovery.commit(self, delivering, audited)
        self._queue.release(delivering)
        for delivery in audited:
            delivery.finish(failure)
        return failure
