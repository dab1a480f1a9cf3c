"""Messages between their reception and the commit: submitted to the committer, counted until they are durable."""

from __future__ import annotations

import contextlib
import math

import trio

from tui_popretr.commit.pending import AnyDraft, PendingDelivery
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import DestinationTimeout
from tui_popretr.journal.records import Doubt, NewRecord, Record
from tui_popretr.mail.identity import Identity
from tui_popretr.session.incoming import DeliveryContext, Incoming
from tui_popretr.session.plan import Fetch, Verify

#: Seconds for removing an unfinished file when the session is stopped; on a hung disk it is removed later.
DISCARD_TIMEOUT = 1.0


class Deliveries:
    """The deliveries of one connection."""

    def __init__(self, context: DeliveryContext) -> None:
        #: Octets received and not yet durable.
        self.undurable = 0
        self._context = context
        self._send, self._receive = trio.open_memory_channel[PendingDelivery](math.inf)
        self._under_way: dict[PendingDelivery, Incoming] = {}
        self._resolving = 0
        self._stopping = False
        self._discarding = trio.CancelScope()

    @property
    def pending(self) -> int:
        """Deliveries whose outcome was not returned yet."""
        return len(self._under_way) + self._resolving

    async def outcomes(self) -> list[tuple[Incoming, PendingDelivery]]:
        """Wait for messages that are durable and recorded, or have an error; return all that there are."""
        ended = [await self._receive.receive()]
        with contextlib.suppress(trio.WouldBlock):
            while True:
                ended.append(self._receive.receive_nowait())
        return [(self._end(delivery), delivery) for delivery in ended]

    def _end(self, delivery: PendingDelivery) -> Incoming:
        self.undurable -= delivery.record.octets
        return self._under_way.pop(delivery)

    def stop(self) -> None:
        """Give discard() no longer than DISCARD_TIMEOUT from now on."""
        self._stopping = True
        self._discarding.deadline = trio.current_time() + DISCARD_TIMEOUT

    async def submit(self, incoming: Incoming, draft: AnyDraft, identity: Identity, octets: int, doubt: Doubt) -> None:
        """Submit a message to the committer; wait only until the committer has room for it."""
        listed = incoming.job.listed
        context = self._context.of(incoming.job)
        time, born = self._retrieved_at(incoming.job, identity)
        record = NewRecord(
            id=incoming.record_id,
            maildrop=context.maildrop,
            uid=listed.uid,
            octets=octets,
            identity=identity,
            delete_pending=not context.policy.preserve and doubt is Doubt.NONE,
            tmp=draft.tmp,
            final=draft.final,
            audit=context.audit(draft.description(), identity.message_id, octets, incoming.hasher.sender),
            time=time,
            doubt=doubt,
            born=born,
        )

        accepted = context.accepted.take(listed.uid, identity)
        if isinstance(draft, OutgoingMessage):
            draft.exclude_recipients(accepted)
        delivery = PendingDelivery(draft, record, self._send)
        self._under_way[delivery] = incoming
        self.undurable += octets
        try:
            await context.lane.put(delivery)
        except trio.Cancelled:  # the committer had no room for it yet, and never gets it
            self._end(delivery)
            await self.discard(draft)
            raise

    async def resolve(self, record: Record, doubt: Doubt) -> None:
        """Record whether the message of an UNPROVEN record is whole. Raises JournalError."""
        self._resolving += 1
        try:
            await self._context.resolve(record.id, doubt)
        finally:
            self._resolving -= 1

    async def discard(self, draft: AnyDraft) -> None:
        """Remove a draft that is not delivered."""
        # This waits for an earlier call that timed out, so that no draft is used in two threads at once.
        with trio.CancelScope(shield=True) as self._discarding, contextlib.suppress(DestinationTimeout):
            if self._stopping:
                self._discarding.deadline = trio.current_time() + DISCARD_TIMEOUT
            await self._context.disk_of(draft).run(draft.abort)

    def _retrieved_at(self, job: Fetch | Verify, identity: Identity) -> tuple[int, float]:
        """Return the times for the record: with deleteafter, those of the first retrieval.

        Otherwise deleteafter would never pass for a message that preserve retrieves at each run.
        """
        context = self._context
        earlier = job.earlier if isinstance(job, Fetch) else None
        if earlier is not None and context.policy.delete_after is not None and earlier.identity.same_as(identity):
            return earlier.time, earlier.born
        return int(context.now().timestamp()), context.clock
