"""The deliveries of a connection: submitted to the committer, and what becomes of each message; when to give up.

A message is *undurable* from its reception to its outcome: it is durable and recorded, or has an error.
"""

from __future__ import annotations

import contextlib
import math

import trio

from tui_popretr.commit.queue import AnyDraft, Pending, PendingDelivery
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import (
    DeliveryFailed,
    DestinationTimeout,
    JournalError,
    MessageInDoubt,
    MessageRefused,
    MessageRejected,
    PopretrError,
)
from tui_popretr.journal.records import Doubt, MessageState, NewRecord, Record
from tui_popretr.mail.headline import Headline
from tui_popretr.mail.identity import Identity
from tui_popretr.pop3 import Reply
from tui_popretr.session.plan import IN_DOUBT, Fetch, Listed, Verify, to_delete
from tui_popretr.session.report import SessionReport
from tui_popretr.session.storage import DeliveryContext
from tui_popretr.session.window import Delete, Sending, Window
from tui_popretr.text import visible

#: Retrieval stops after this number of messages in a row that cannot be stored.
MAX_DELIVERY_FAILURES = 3
#: RESP-CODES of refusals that do not count against the message (RFC 3206 §4, RFC 2449 §8.1.1, RFC 6856 §5).
TEMPORARY_CODES = frozenset({"SYS/TEMP", "IN-USE", "UTF8"})
#: Seconds for removing an unfinished file when the session is stopped; on a hung disk it is removed later.
DISCARD_TIMEOUT = 1.0


class Deliveries:
    """Submits messages, reports what becomes of each, and has the window send what follows from it."""

    def __init__(self, context: DeliveryContext, window: Window, report: SessionReport) -> None:
        #: The messages whose DELE was answered +OK, by their journal record.
        self.deleted: dict[int, Listed] = {}
        #: The server's text for each DELE that it refused.
        self.refused_deletions: list[str] = []
        #: Messages that are listed although the server confirmed their deletion in an earlier session.
        self.reappeared = 0
        #: Messages and octets received to their end.
        self.messages = 0
        self.octets = 0
        #: Octets received and not yet durable.
        self.undurable = 0
        #: Why retrieval stopped early although the connection works.
        self.gave_up: PopretrError | None = None
        self._context = context
        self._window = window
        self._report = report
        self._failures_in_a_row = 0
        self._send, self._receive = trio.open_memory_channel[PendingDelivery](math.inf)
        self._under_way: dict[PendingDelivery, tuple[Fetch | Verify, Headline]] = {}
        self._resolving = 0
        self._stopping = False
        self._discarding = trio.CancelScope()

    @property
    def pending(self) -> int:
        """Deliveries whose outcome was not returned yet."""
        return len(self._under_way) + self._resolving

    def stop(self) -> None:
        """Give discard() no longer than DISCARD_TIMEOUT from now on."""
        self._stopping = True
        self._discarding.deadline = trio.current_time() + DISCARD_TIMEOUT

    # --- to the committer ---------------------------------------------------------------------------------------------

    async def submit(
        self, job: Fetch | Verify, draft: AnyDraft, identity: Identity, octets: int, headline: Headline, doubt: Doubt
    ) -> None:
        """Submit a message to the committer; wait only until the committer has room for it."""
        listed = job.listed
        context = self._context.of(job)
        time, born = self._retrieved_at(job, identity)
        record = NewRecord(
            id=draft.record_id,
            maildrop=context.maildrop,
            uid=listed.uid,
            octets=octets,
            identity=identity,
            delete_pending=not context.policy.preserve and doubt is Doubt.NONE,
            tmp=draft.tmp,
            final=draft.final,
            audit=context.audit(draft.description, identity.message_id, octets, headline.sender),
            time=time,
            doubt=doubt,
            born=born,
        )
        accepted = context.accepted.take(listed.uid, identity)
        if isinstance(draft, OutgoingMessage):
            draft.exclude_recipients(accepted)
            draft.message_id = identity.searchable
        delivery = Pending(draft, record, self._send)
        self._under_way[delivery] = job, headline
        self.undurable += octets
        try:
            await context.lane.put(delivery)
        except trio.Cancelled:  # the committer had no room for it yet, and never gets it
            del self._under_way[delivery]
            self.undurable -= octets
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

    # --- what becomes of a message ------------------------------------------------------------------------------------

    async def take_outcomes(self) -> None:
        """Wait for messages that are durable and recorded, or have an error; take all that there are."""
        self._take(await self._receive.receive())
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self._take(self._receive.receive_nowait())

    def _take(self, delivery: PendingDelivery) -> None:
        record = delivery.record
        job, headline = self._under_way.pop(delivery)
        self.undurable -= record.octets
        if delivery.error is not None:
            self.not_stored(job, delivery.error)
            return
        self._failures_in_a_row = 0
        if record.delete_pending:
            self._window.delete(job.listed, record.id)
        self._report.delivered(job.listed, delivery, headline)
        if isinstance(job, Fetch) and job.refusal:
            self._report.saved(job.listed, job.refusal, record.final)

    def not_stored(self, job: Fetch | Verify, problem: PopretrError) -> None:
        """Take the error of a message that was received and is not stored."""
        listed = job.listed
        refused_for_good = isinstance(problem, DeliveryFailed) and problem.refused_for_good
        to_save = self._context.rejected is not None and refused_for_good
        if isinstance(job, Fetch) and not isinstance(problem, JournalError):
            if job.refusal:  # the next session tries to deliver it again, and then to save it
                certain = not isinstance(problem, DestinationTimeout)
                self._report.failed(listed, _not_saved(job.refusal, problem), count=certain, rejected=certain)
                return
            saving = job.to_save(str(problem)) if to_save else None
            if saving is not None and self._window.sending is Sending.ALL:
                self._window.retrieve_next(saving)
                self.messages -= 1  # it is retrieved again
                return
        # The destination refuses this message. It may accept the next one; or, if rejected messages are saved, it has
        # not refused this one often enough.
        if to_save or isinstance(problem, MessageRejected):
            self._report.failed(listed, problem, count=True, rejected=True)
            return
        # What was pending when retrieval gave up fails in the same way: it is counted without a line for each.
        self._report.failed(listed, problem, count=False, report=self.gave_up is None)
        self._failures_in_a_row += 1
        if isinstance(problem, JournalError):
            self.gave_up = problem
            self._window.send_no_more_than(Sending.NOTHING)
        elif self._failures_in_a_row >= MAX_DELIVERY_FAILURES or _ends_retrieval(problem):
            self.gave_up = self.gave_up or problem
            self._window.send_no_more_than(Sending.DELETIONS)

    def refused(self, job: Fetch | Verify, reply: Reply) -> None:
        """Take the server's refusal to send a message."""
        text = visible(reply.text, 200) or "without a reason"
        if reply.code == "UTF8":
            text = f"it is in UTF-8, and UTF-8 mode is off{self._context.utf8_advice}: {text}"
        problem = MessageRefused(f"the server refused to send it: {text}")
        self._report.failed(job.listed, problem, count=reply.code not in TEMPORARY_CODES)

    def delivered_before(self, listed: Listed, record: Record) -> None:
        """Delete a message that was delivered before, if it is to be deleted."""
        if record.state is MessageState.KEPT:
            self._report.kept()
            return
        if record.state is MessageState.DELIVERING:
            self._report.failed(listed, MessageInDoubt(IN_DOUBT), count=False)
            return
        reappeared = record.state is MessageState.DELETED
        self.reappeared += reappeared
        if reappeared or to_delete(record, self._context.policy, self._context.clock):
            self._window.delete(listed, record.id)

    def deletion_answered(self, delete: Delete, reply: Reply) -> None:
        """Take the reply to a DELE."""
        if reply.ok:
            self.deleted[delete.record] = delete.listed
        else:
            self.refused_deletions.append(visible(reply.text, 200) or "without a reason")


def _ends_retrieval(problem: PopretrError) -> bool:
    return isinstance(problem, DeliveryFailed) and problem.ends_retrieval


def _not_saved(refusal: str, problem: PopretrError) -> PopretrError:
    return type(problem)(f"{refusal}; and it cannot be saved: {problem}", advice=problem.advice)
