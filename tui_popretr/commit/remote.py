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
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.errors import DeliveryStopped, JournalError, PopretrError

#: Sends a message (RemoteSink.send).
Send = Callable[[OutgoingMessage, BeforeEnd], Awaitable[str]]


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
        self._stopped = False
        self._sending = trio.CancelScope()

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

    def stop(self) -> None:
        """Cancel the message that is being sent, and send none of those that wait: their session is ending."""
        self._stopped = True
        self._sending.cancel()

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
        if self._stopped:
            self._queue.release([delivery])
            delivery.draft.abort()
            delivery.finish(DeliveryStopped("the message was not sent, because the session is ending"))
            return before
        message = delivery.draft
        assert isinstance(message, OutgoingMessage)
        durable = trio.Event()
        failure: JournalError | None = None
        in_doubt = False

        async def commit() -> None:
            nonlocal failure
            failure = await self._commit([delivery], before)
            durable.set()

        async def before_end() -> None:
            nonlocal in_doubt
            await durable.wait()
            if failure is not None:
                raise failure
            in_doubt = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            with trio.CancelScope() as self._sending:
                try:
                    delivery.receipt = await self._send(message, before_end)
                except PopretrError as error:
                    delivery.error = error
                except Exception as defect:  # noqa: BLE001 - other destinations may work
                    delivery.error = internal_error(defect)
        stopped = self._sending.cancelled_caught
        if stopped:
            delivery.error = DeliveryStopped("the delivery was broken off, because the session is ending")
        message.abort()  # it has no name, and no other connection needs it
        if failure is None and delivery.error is None:
            return [delivery]
        if failure is None and is_refusal(delivery.error) and not (stopped and in_doubt):
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
