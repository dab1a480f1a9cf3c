"""Receiving messages: from the first octet to the decision what is done with a message that has ended.

A message is *held* if it is shorter than listed and the next line of the server has to show whether it is whole
(wholeness.py). If the connection ends instead, the message is delivered as unproven: it stays on the server, and the
next session retrieves it again to compare the sizes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tui_popretr import faultpoints
from tui_popretr.commit.queue import AnyDraft
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import (
    RETRIED,
    DeliveryFailed,
    JournalError,
    MessageRefused,
    PopretrError,
    ProtocolViolation,
    ServerStalled,
)
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import Doubt, MessageState, Record
from tui_popretr.logs.lines import message_name
from tui_popretr.mail.beginning import read_beginning
from tui_popretr.mail.identity import IdentityHasher
from tui_popretr.mail.line_ends import EolConverter
from tui_popretr.pop3 import BodyChunk, BodyEnd
from tui_popretr.session.deliveries import Deliveries
from tui_popretr.session.matching import KnownMessages
from tui_popretr.session.plan import Fetch, Listed, Verify
from tui_popretr.session.report import SessionReport
from tui_popretr.session.storage import DeliveryContext
from tui_popretr.session.wholeness import Wholeness, judge
from tui_popretr.session.window import Window

#: A message with more than EXCESS_FACTOR times its listed size plus EXCESS octets is abandoned as endless. The factor
#: is large because some servers list the compressed size.
EXCESS_FACTOR, EXCESS = 64, 16 * 1024 * 1024
#: Octets that a message may exceed its listed size: servers count line ends and stuffed dots differently.
SIZE_SLACK = 64 * 1024
#: Why the first message of a UW-IMAP mailbox stays on the server.
FOLDER_DATA = "not a message, but the server's own data about the folder (UW-IMAP)"


class Incoming:
    """A message that is being received: hashed as it was sent, stored with the line ends of the destination."""

    def __init__(self, job: Fetch | Verify, delivery: DeliveryContext, *, store: bool, whole: bool) -> None:
        self.job = job
        self.hasher = IdentityHasher(whole=whole, utf8=delivery.utf8)
        self.size = 0
        self.line_feeds = 0
        self.draft = delivery.open() if store else None
        self._delivery = delivery
        self._limit = _limit(job.listed.octets, delivery.policy.max_size)
        self._undecided: bytes | None = b""  # the beginning, until it is known whether a header may precede it
        self._canonical = True  # as BodyChunk.canonical, for the beginning
        self._eol = EolConverter(delivery.eol)

    def feed(self, chunk: BodyChunk) -> None:
        """Take the next chunk. Raises ProtocolViolation if the message is far longer than listed."""
        self.size += len(chunk.data)
        self.line_feeds += chunk.data.count(b"\n")
        if self._limit is not None and self.size > self._limit:
            listed = self.job.listed
            raise ProtocolViolation(
                f"{message_name(listed.number, listed.uid)} does not end: {self.size} octets so far, "
                f"{'an unknown number' if listed.octets is None else listed.octets} announced"
            )
        self.hasher.update(chunk.data)
        if self.draft is None:
            return
        if self._undecided is None:
            self.draft.write(self._eol.feed(chunk.data, canonical=chunk.canonical))
        else:
            self._canonical &= chunk.canonical
            self._begin(self._undecided + chunk.data, ended=False)

    def end(self) -> None:
        """Take the end of the message."""
        if self.draft is not None:
            if self._undecided is not None:
                self._begin(self._undecided, ended=True)
            rest = self._eol.finish()
            if rest:
                self.draft.write(rest)
            if isinstance(self.draft, OutgoingMessage):
                self.draft.finish()

    def _begin(self, data: bytes, *, ended: bool) -> None:
        """Write the Received header and the beginning, as soon as it is known whether a header may precede it."""
        assert self.draft is not None
        beginning = read_beginning(data, ended=ended)
        if beginning is None:
            self._undecided = data
            return
        self._undecided = None
        if beginning.dropped:
            name = message_name(self.job.listed.number, self.job.listed.uid)
            self._delivery.debug(f"{name}: the mbox line before its header is dropped")
            data = data[beginning.dropped :]
        header = self._delivery.received() if beginning.header else b""
        for part, canonical in ((header, True), (data, self._canonical)):
            if part:
                self.draft.write(self._eol.feed(part, canonical=canonical))


@dataclass(frozen=True, slots=True)
class _Held:
    """A held message. `resolve` continues with it."""

    resolve: Callable[[Doubt], Awaitable[None]]
    draft: AnyDraft | None


class Reception:
    """Receives the messages of a retrieval, one after the other."""

    def __init__(
        self,
        context: DeliveryContext,
        known: KnownMessages,
        window: Window,
        deliveries: Deliveries,
        report: SessionReport,
    ) -> None:
        self._context = context
        self._known = known
        self._window = window
        self._deliveries = deliveries
        self._report = report
        self._incoming: Incoming | None = None
        self._held: _Held | None = None
        #: The last message, if it is shorter than listed and no reply has followed.
        self.short: Listed | None = None

    @property
    def octets(self) -> int:
        """The octets of the current message that have arrived."""
        return self._incoming.size if self._incoming else 0

    @property
    def holding(self) -> bool:
        """Whether a message is held."""
        return self._held is not None

    @property
    def under_way(self) -> bool:
        """Whether a message is being received or held."""
        return self._incoming is not None or self._held is not None

    def begin(self, job: Fetch | Verify) -> None:
        """Begin with the message of a job."""
        store = not self._known.top_suffices(job)
        whole = store and self._known.hash_whole(job.listed)
        self._incoming = Incoming(job, self._context.of(job), store=store, whole=whole)

    async def feed(self, chunk: BodyChunk) -> None:
        """Take the next octets; write them to the draft if there are too many in memory."""
        incoming = self._incoming
        assert incoming is not None
        incoming.feed(chunk)
        draft = incoming.draft
        if draft is None or draft.pending < self._context.receive_budget.share:
            return
        try:
            await self._context.disk_of(draft).run(draft.spill)
        except DeliveryFailed as problem:
            # The rest of the message still has to be read; it is no longer stored.
            incoming.draft = None
            await self._deliveries.discard(draft)
            self._deliveries.not_stored(incoming.job, problem)

    async def end(self, event: BodyEnd) -> None:
        """Take the end of the message, and decide what is done with it."""
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        job = incoming.job
        listed = job.listed
        incoming.end()
        # A message is identified by its header, or by all of it if the server gives no usable UID.
        identity = incoming.hasher.header() if listed.uid is not None else incoming.hasher.whole()
        draft = incoming.draft
        if listed.number == 1 and incoming.hasher.folder_data:
            self._known.take(listed.number)
            self._report.skipped(listed, FOLDER_DATA)
            if draft is not None:
                await self._deliveries.discard(draft)
            return
        if isinstance(job, Verify) and draft is None and self._known.top_suffices(job):
            if job.record.identity.same_as(identity):
                self._deliveries.delivered_before(listed, job.record)
            else:  # another message with a reused UID; or TOP does not show the header that RETR shows
                self._known.compare_on_retr(job)
                self._window.retrieve_last(job)
            return
        self._deliveries.messages += 1
        self._deliveries.octets += event.octets
        faultpoints.reached(Step.RECEIVED)
        earlier = self._known.take(listed.number)
        if draft is None:  # could not be stored
            return
        wholeness = judge(listed.octets, event.octets, incoming.line_feeds)
        self.short = None if wholeness is Wholeness.WHOLE else listed
        if wholeness is Wholeness.EMPTY:
            problem = MessageRefused(f"the server sent an empty message instead of the listed {listed.octets} octets")
            self._report.failed(listed, problem, count=True)
            await self._deliveries.discard(draft)
            return
        record = self._known.match(earlier, identity, event.octets, incoming.hasher)
        # The remaining work is recorded before the first await; otherwise the retrieval would seem to be finished.
        if record is None:
            submit = partial(self._deliveries.submit, job, draft, identity, event.octets, incoming.hasher.headline)
            await self._accept_or_hold(wholeness, submit, draft)
        elif record.doubt is Doubt.UNPROVEN and record.state is not MessageState.DELIVERING:
            await self._accept_or_hold(wholeness, partial(self._resolve, job, record), None)
            await self._deliveries.discard(draft)
        else:
            self._deliveries.delivered_before(listed, record)
            await self._deliveries.discard(draft)

    async def status_line(self) -> None:
        """Take a status line: it shows that the message before it had ended."""
        self.short = None
        if self._held is not None:
            await self.release(Doubt.NONE)

    def explain(self, problem: PopretrError, buffered: int) -> PopretrError:
        """Return `problem`, or a better error if all octets of a message arrived but not its end.

        `buffered`: octets that the machine has not returned yet.
        """
        incoming = self._incoming
        if incoming is None or not isinstance(problem, ServerStalled):
            return problem
        listed = incoming.job.listed
        if not 0 < listed.size <= incoming.size + buffered:
            return problem
        return ServerStalled(
            f"the server has not ended {message_name(listed.number, listed.uid)}: all of its {listed.size} octets"
            " arrived, but not the line that ends a message",
            advice=f"{RETRIED}; if that fails as well, tell the server's operator",
        )

    # --- held messages ------------------------------------------------------------------------------------------------

    async def _accept_or_hold(
        self, wholeness: Wholeness, resolve: Callable[[Doubt], Awaitable[None]], draft: AnyDraft | None
    ) -> None:
        """Continue with a message at once, or hold it until the server's next line has arrived."""
        if wholeness is Wholeness.DOUBTFUL:
            self._held = _Held(resolve, draft)
        else:
            await resolve(Doubt.NONE if wholeness is Wholeness.WHOLE else Doubt.SHORT)

    async def release(self, doubt: Doubt) -> None:
        """Continue with the held message, if there is one."""
        held, self._held = self._held, None
        if held is not None:
            await held.resolve(doubt)

    async def drop_held(self) -> None:
        """Discard the held message: it is retrieved again later."""
        held, self._held = self._held, None
        if held is not None and held.draft is not None:
            await self._deliveries.discard(held.draft)

    async def discard(self) -> None:
        """Discard a message that did not end."""
        if self._incoming is not None and self._incoming.draft is not None:
            await self._deliveries.discard(self._incoming.draft)

    async def _resolve(self, job: Fetch | Verify, record: Record, doubt: Doubt) -> None:
        """Record whether a message that may have been cut short when it was delivered is whole."""
        if doubt is Doubt.UNPROVEN:
            return
        try:
            await self._deliveries.resolve(record, doubt)
        except JournalError as problem:
            self._deliveries.not_stored(job, problem)
        else:
            if doubt is Doubt.SHORT:
                self._report.kept()
            else:
                self._deliveries.delivered_before(job.listed, record)


def _limit(listed: int | None, max_size: int | None) -> int | None:
    """Return the octets after which a message is abandoned; None: no limit."""
    limits = [] if listed is None else [EXCESS_FACTOR * listed + EXCESS]
    if max_size is not None:
        limits.append(2 * max_size + SIZE_SLACK)
    return min(limits, default=None)
