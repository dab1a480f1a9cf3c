"""A message that is being received: hashed, converted, and written to its draft as it arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from tui_popretr.commit.accepted import AcceptedRecipients
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.committer import Queue
from tui_popretr.commit.pending import AnyDraft
from tui_popretr.commit.remote import RemoteQueue
from tui_popretr.config.choices import Eol
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import ProtocolViolation
from tui_popretr.journal.records import Doubt
from tui_popretr.logs.lines import message_name
from tui_popretr.mail.beginning import read_beginning
from tui_popretr.mail.identity import IdentityHasher
from tui_popretr.mail.line_ends import EolConverter
from tui_popretr.pop3 import BodyChunk
from tui_popretr.session.context import ReceiveBudget
from tui_popretr.session.plan import Fetch, Policy, Verify

#: A message with more than EXCESS_FACTOR times its listed size plus EXCESS octets is abandoned as endless. The factor
#: is large because some servers list the compressed size.
EXCESS_FACTOR, EXCESS = 64, 16 * 1024 * 1024
#: Octets that a message may exceed its listed size: servers count line ends and stuffed dots differently.
SIZE_SLACK = 64 * 1024


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """Where the messages of a connection go, and what is recorded about them."""

    maildrop: int  # the journal's number for it
    eol: Eol
    open: Callable[[int], AnyDraft]  # makes the draft of a record
    lane: Queue
    disk: BlockingWorker
    receive_budget: ReceiveBudget
    accepted: AcceptedRecipients  # the recipients that have a message already
    next_id: Callable[[], int]
    received: Callable[[], bytes]  # the Received header for a message that arrives now, b"" if omitted
    audit: Callable[[str, str | None, int, str | None], str]  # (destination, Message-ID, octets, sender) -> text
    policy: Policy
    now: Callable[[], datetime]
    clock: float  # the seconds of the MaildropClock
    debug: Callable[[str], None]  # logs a line
    resolve: Callable[[int, Doubt], Awaitable[None]]  # records the result for an UNPROVEN record in the journal
    utf8: bool  # the server sends messages in UTF-8 mode
    utf8_advice: str  # how to enable that mode, as " (...)"; "" if no setting prevents it
    #: For messages that the sink refuses for good; None: they stay on the server.
    rejected: DeliveryContext | None = None

    def of(self, job: Fetch | Verify) -> DeliveryContext:
        """Return the context for the message of a job."""
        return self.rejected if self.rejected is not None and isinstance(job, Fetch) and job.refusal else self

    def stop_sending(self) -> None:
        """Cancel what is being sent to a server or command, and what waits for it."""
        if isinstance(self.lane, RemoteQueue):
            self.lane.stop()

    def disk_of(self, draft: AnyDraft) -> BlockingWorker:
        """Return the worker of a draft's sink."""
        # With `rejected`, only drafts of the folder for rejected messages have a final path.
        return self.disk if self.rejected is None or draft.final is None else self.rejected.disk


class Incoming:
    """A message that is being received: hashed as it was sent, stored with the line ends of the destination."""

    __slots__ = (
        "_canonical",
        "_delivery",
        "_eol",
        "_limit",
        "_undecided",
        "draft",
        "hasher",
        "job",
        "line_feeds",
        "record_id",
        "size",
    )

    def __init__(self, job: Fetch | Verify, delivery: DeliveryContext, *, store: bool, whole: bool) -> None:
        self.job = job
        self.hasher = IdentityHasher(whole=whole, utf8=delivery.utf8)
        self.size = 0
        self.line_feeds = 0
        self.record_id = 0
        self.draft: AnyDraft | None = None
        self._delivery = delivery
        self._limit = _limit(job.listed.octets, delivery.policy.max_size)
        self._undecided: bytes | None = b""  # the beginning, until it is known whether a header may precede it
        self._canonical = True  # as BodyChunk.canonical, for the beginning
        if store:
            self.record_id = delivery.next_id()
            self.draft = delivery.open(self.record_id)
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


def _limit(listed: int | None, max_size: int | None) -> int | None:
    """Return the octets after which a message is abandoned; None: no limit."""
    limits = [] if listed is None else [EXCESS_FACTOR * listed + EXCESS]
    if max_size is not None:
        limits.append(2 * max_size + SIZE_SLACK)
    return min(limits, default=None)
