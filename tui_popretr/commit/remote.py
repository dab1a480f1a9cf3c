"""Messages to a server or a command, in groups; for most receivers a group has one message.

A group is sent while the journal writes its records together with *delivered* of the group before, and its end is sent
when that is durable. So at most one group is between its two commits. Of a receiver that cannot be asked, that is one
message, which may be sent twice. If its end did not wait for *delivered* of the message before, it would be two: an
answer that is not durable is lost in a crash. The sink may begin the next message with the end of one
(delivery/remote.py), before it has a record: it is certainly not accepted yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from tui_popretr.commit.audit import AuditWriter
from tui_popretr.commit.queue import DeliveryQueue, PendingDelivery, StartQueue, internal_error, is_refusal
from tui_popretr.commit.recovery import Recovery
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import ALONE, BeforeEnd, Following, Group, GroupSink, SearchableSink
from tui_popretr.errors import DeliveryStopped, JournalError, MessageInDoubt, PopretrError
from tui_popretr.journal.thread import Job


class Sender(Protocol):
    """The part of a RemoteSink that the queue uses."""

    async def send(self, message: OutgoingMessage, before_end: BeforeEnd, following: Following) -> str:
        """Send a message; return the receipt."""
        ...


class RemoteQueue(DeliveryQueue):
    """The queue of one session's server or command. Made by the committer."""

    def __init__(self, recovery: Recovery, audit: AuditWriter, start: StartQueue, sink: Sender) -> None:
        super().__init__(start)
        self._recovery = recovery
        self._audit = audit
        self._sink = sink
        self._searchable = sink if isinstance(sink, SearchableSink) else None
        self._groups = sink if isinstance(sink, GroupSink) else None
        #: Message-IDs of messages in doubt. Another message with such an id is not sent before the receiver was asked:
        #: it would be found in place of the one in doubt.
        self.in_doubt: set[str] = set()
        self._stopped = False
        self._sending = trio.CancelScope()

    def stop(self) -> None:
        """Cancel what is being sent, and send nothing of what waits: its session is ending."""
        self._stopped = True
        self._sending.cancel()

    async def run(self) -> None:
        sent: list[PendingDelivery] = []  # not recorded as delivered yet: of one group
        try:
            while True:
                if not self.waiting:  # there is no next group to share the transaction with
                    await self._commit([], sent).wait()
                    sent = []
                if not await self.wait():
                    break
                sent = await self._deliver(self._next_group(), sent)
        finally:
            self._recovery.set_publishing(self, False)
            self.running = False
        self._start(self)  # for messages that have arrived meanwhile

    def _next_group(self) -> list[PendingDelivery]:
        """Take the messages that are sent together. One that cannot be found again is sent alone."""
        limit: Group = ALONE if self._groups is None else self._groups.group
        group = self._waiting.take(1)
        octets = _octets(group[0])
        while len(group) < limit.messages and _can_be_found(group[0]):
            following = self._waiting.first
            if following is None or not _can_be_found(following):
                break
            octets += _octets(following)
            if octets > limit.octets:
                break
            group += self._waiting.take(1)
        return group

    async def _deliver(self, group: list[PendingDelivery], before: list[PendingDelivery]) -> list[PendingDelivery]:
        """Send a group, and record that the one before is delivered; return the messages that are not recorded yet."""
        group = self._without_equal(group)
        if not (group and await self._mark(group)):
            return before
        commit = self._commit(group, before)
        in_doubt = False

        async def before_end() -> None:
            nonlocal in_doubt
            if (failure := await commit.wait()) is not None:
                raise failure
            in_doubt = True

        try:
            with trio.CancelScope() as self._sending:
                if self._stopped:  # while the messages were marked
                    self._sending.cancel()
                await self._send(group, before_end)
            failure = await commit.wait()
        except trio.Cancelled:
            commit.abandon()
            raise
        stopped = self._sending.cancelled_caught
        if stopped:
            for delivery in group:
                delivery.error = DeliveryStopped("the delivery was broken off, because the session is ending")
        for delivery in group:
            delivery.draft.abort()  # it has no name, and no other connection needs it
        if failure is not None:
            accepted, failed = [], group
        else:
            accepted = [delivery for delivery in group if delivery.error is None]
            failed = [delivery for delivery in group if delivery.error is not None]
            refused = [each for each in failed if _not_accepted(each) and not (stopped and in_doubt)]
            self.in_doubt.update(_id_of(each) or "" for each in failed if each not in refused)
            if refused:
                await self._recovery.withdraw(refused)
        for delivery in failed:
            delivery.finish(failure)
        if not accepted:
            self._recovery.set_publishing(self, False)
        return accepted

    def _without_equal(self, group: list[PendingDelivery]) -> list[PendingDelivery]:
        """Return the messages that are not like one in doubt; the others are finished."""
        equal = [delivery for delivery in group if _id_of(delivery) in self.in_doubt]
        self._finish_unsent(
            equal,
            MessageInDoubt(
                "a message with the same Message-ID may have arrived, and the server is searched for it first"
            ),
        )
        return [delivery for delivery in group if delivery not in equal]

    async def _mark(self, group: list[PendingDelivery]) -> bool:
        """Mark the messages of a group; return False, with all of them finished, if they cannot be sent."""
        error: PopretrError | None = None
        with trio.CancelScope() as self._sending:
            if self._stopped:
                self._sending.cancel()
            elif self._searchable is None:
                return True
            else:
                try:
                    marks = await self._searchable.mark(_messages(group))
                except PopretrError as problem:
                    error = problem
                except Exception as defect:  # noqa: BLE001 - other destinations may work
                    error = internal_error(defect)
                else:
                    for delivery, mark in zip(group, marks, strict=True):
                        delivery.record = delivery.record._replace(mark=mark)
                    return True
        stopped = DeliveryStopped("the message was not sent, because the session is ending")
        self._finish_unsent(group, error or stopped)
        return False

    def _finish_unsent(self, deliveries: list[PendingDelivery], error: PopretrError) -> None:
        """Finish messages that have no record yet, and of which nothing was sent."""
        self.release(deliveries)
        for delivery in deliveries:
            delivery.draft.abort()
            delivery.finish(error)

    async def _send(self, group: list[PendingDelivery], before_end: BeforeEnd) -> None:
        """Send a group, and set the receipts and errors."""
        try:
            if self._groups is None or len(group) == 1:
                (message,) = _messages(group)
                receipts: Sequence[str | PopretrError] = [await self._sink.send(message, before_end, self._following)]
            else:
                receipts = await self._groups.send_group(_messages(group), before_end)
            for delivery, receipt in zip(group, receipts, strict=True):
                if isinstance(receipt, PopretrError):
                    delivery.error = receipt
                else:
                    delivery.receipt = receipt
                    delivery.located = self._searchable is not None
        except PopretrError as error:
            for delivery in group:
                delivery.error = error
        except Exception as defect:  # noqa: BLE001 - other destinations may work
            for delivery in group:
                delivery.error = internal_error(defect)

    def _following(self) -> OutgoingMessage | None:
        """Return the message that will be sent next, if one waits."""
        delivery = self._waiting.first
        return None if delivery is None or self._stopped else delivery.draft

    def _commit(self, delivering: list[PendingDelivery], sent: list[PendingDelivery]) -> _Commit:
        return _Commit(self, self._recovery, self._audit, delivering, sent)


def _messages(group: list[PendingDelivery]) -> list[OutgoingMessage]:
    return [delivery.draft for delivery in group]


def _octets(delivery: PendingDelivery) -> int:
    message = delivery.draft
    assert isinstance(message, OutgoingMessage)
    return message.content.octets


def _id_of(delivery: PendingDelivery) -> str | None:
    """Return the Message-ID by which the receiver can find it."""
    message = delivery.draft
    assert isinstance(message, OutgoingMessage)
    return message.message_id


def _can_be_found(delivery: PendingDelivery) -> bool:
    return _id_of(delivery) is not None


def _not_accepted(delivery: PendingDelivery) -> bool:
    """Whether the record is withdrawn: the message was not accepted, or its receiver cannot be asked."""
    asked = isinstance(delivery.error, MessageInDoubt) and delivery.record.mark is not None
    return is_refusal(delivery.error) and not asked


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
