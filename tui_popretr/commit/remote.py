"""Messages to a server or a command, one after the other.

Each message is sent while the journal writes its record together with *delivered* of the one before, and its end is
sent when that is durable. So at most one message is between its two commits, and may be sent twice. The sink may begin
the next message with that end (delivery/remote.py), before it has a record: it is certainly not accepted yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.queue import DeliveryQueue, PendingDelivery, internal_error, is_refusal
from tui_popretr.commit.recovery import Recovery
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import BeforeEnd, Following
from tui_popretr.errors import DeliveryStopped, JournalError, PopretrError
from tui_popretr.journal.thread import Job

#: Sends a message (RemoteSink.send).
Send = Callable[[OutgoingMessage, BeforeEnd, Following], Awaitable[str]]


class RemoteQueue(DeliveryQueue):
    """The queue of one session's server or command. Made by the committer."""

    def __init__(
        self, recovery: Recovery, audit: AuditWriter, start: Callable[[DeliveryQueue], None], send: Send
    ) -> None:
        super().__init__(start)
        self._recovery = recovery
        self._audit = audit
        self._send = send
        self._stopped = False
        self._sending = trio.CancelScope()

    def stop(self) -> None:
        """Cancel the message that is being sent, and send none of those that wait: their session is ending."""
        self._stopped = True
        self._sending.cancel()

    async def run(self) -> None:
        sent: list[PendingDelivery] = []  # not recorded as delivered yet: at most one
        try:
            while True:
                if not self.waiting:  # there is no next message to share the transaction with
                    await self._commit([], sent).wait()
                    sent = []
                if not await self.wait():
                    break
                (delivery,) = self._waiting.take(1)
                sent = await self._deliver(delivery, sent)
        finally:
            self._recovery.set_publishing(self, False)
            self.running = False
        self._start(self)  # for messages that have arrived meanwhile

    async def _deliver(self, delivery: PendingDelivery, before: list[PendingDelivery]) -> list[PendingDelivery]:
        """Send a message, and record that the one before is delivered; return the messages that were sent."""
        if self._stopped:
            self.release([delivery])
            delivery.draft.abort()
            delivery.finish(DeliveryStopped("the message was not sent, because the session is ending"))
            return before
        message = delivery.draft
        assert isinstance(message, OutgoingMessage)
        commit = self._commit([delivery], before)
        in_doubt = False

        async def before_end() -> None:
            nonlocal in_doubt
            if (failure := await commit.wait()) is not None:
                raise failure
            in_doubt = True

        try:
            with trio.CancelScope() as self._sending:
                try:
                    delivery.receipt = await self._send(message, before_end, self._following)
                except PopretrError as error:
                    delivery.error = error
                except Exception as defect:  # noqa: BLE001 - other destinations may work
                    delivery.error = internal_error(defect)
            failure = await commit.wait()
        except trio.Cancelled:
            commit.abandon()
            raise
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

    def _following(self) -> OutgoingMessage | None:
        """Return the message that will be sent next, if one waits."""
        delivery = self._waiting.first
        return None if delivery is None or self._stopped else delivery.draft

    def _commit(self, delivering: list[PendingDelivery], sent: list[PendingDelivery]) -> _Commit:
        return _Commit(self, self._recovery, self._audit, delivering, sent)


class _Commit:
    """The audit lines of the messages that were sent, then one transaction. Begins at once; needs no task."""

    def __init__(
        self,
        queue: RemoteQueue,
        recovery: Recovery,
        audit: AuditWriter,
        delivering: list[PendingDelivery],
        sent: list[PendingDelivery],
    ) -> None:
        self._queue = queue
        self._recovery = recovery
        self._audit = audit
        self._delivering = delivering
        self._failure: JournalError | None = None
        self._job: Job[None] | None = None  # of the journal
        self._abandoned = False
        if delivering:
            recovery.set_publishing(queue, True)
        self._auditing = audit.begin(sent, self._submit)

    async def wait(self) -> JournalError | None:
        """Wait until it is durable; return the error if the transaction failed."""
        if self._auditing is not None:
            await self._audit.wait(self._auditing)
        if self._job is not None:
            if not self._job.done.is_set():
                await self._job.done.wait()
            if self._failure is None:
                self._job.outcome()  # raises a defect
        return self._failure

    def abandon(self) -> None:
        """Begin nothing more of it: the engine is ending."""
        self._abandoned = True
        for job in (self._auditing, self._job):
            if job is not None:
                job.abandoned = True

    def _submit(self, audited: list[PendingDelivery]) -> None:
        if self._abandoned:
            return
        if self._delivering or audited:
            self._job = self._recovery.begin_commit(self._queue, self._delivering, audited, self._end)
        else:
            self._recovery.set_publishing(self._queue, False)

    def _end(self, failure: JournalError | None) -> None:
        self._failure = failure
        self._queue.release(self._delivering)
