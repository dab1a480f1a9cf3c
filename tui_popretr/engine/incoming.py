"""A message that is being received: hashed, converted, and written to its draft as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tui_popretr.delivery.eol import EolConverter
from tui_popretr.delivery.identity import IdentityHasher
from tui_popretr.delivery.sink import SPILL, Draft, Sink
from tui_popretr.engine.accepted import Accepted
from tui_popretr.engine.disk import Disk
from tui_popretr.engine.lane import Lane
from tui_popretr.engine.plan import Check, Fetch, Policy
from tui_popretr.errors import ProtocolViolation
from tui_popretr.pop3 import BodyChunk

#: A message that is longer than announced by so much is given up (SPEC 10).
EXCESS_FACTOR, EXCESS = 4, 16 * 1024 * 1024
#: Octets of messages that are still coming, in memory, in all sessions together; and of one of them at most.
TOGETHER = 4 * 1024 * 1024
ALONE = 256 * 1024
#: Sizes in listings are not exact: servers count line ends and stuffed dots differently.
SIZE_SLACK = 64 * 1024


class Readers:
    """The sessions that are receiving: the fewer, the more of a message each may have in memory before it is written.

    Writing takes a change of threads, for which the session waits.
    """

    def __init__(self) -> None:
        self._count = 0

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *problem: object) -> None:
        self._count -= 1

    @property
    def share(self) -> int:
        """Octets of a message that a session may have in memory; SPILL for all of very many."""
        return max(SPILL, min(ALONE, TOGETHER // max(self._count, 1)))


@dataclass(frozen=True, slots=True)
class Target:
    """Where the messages of a session go, and what is written about them."""

    maildrop: int  # the journal's number for it
    sink: Sink
    lane: Lane
    disk: Disk
    readers: Readers
    accepted: Accepted  # which recipients have which messages already
    next_id: Callable[[], int]
    received: Callable[[], bytes]  # our Received header for a message of now, b"" where it is omitted
    audit: Callable[[str, str | None, int, str | None], str]  # (destination, Message-ID, octets, sender) -> text
    policy: Policy
    now: Callable[[], datetime]


class Incoming:
    """A message that is being received: hashed as it was sent, stored with the line ends of the destination."""

    __slots__ = ("_eol", "_limit", "draft", "hasher", "job", "record_id", "size")

    def __init__(self, job: Fetch | Check, target: Target, *, store: bool, whole: bool) -> None:
        self.job = job
        self.hasher = IdentityHasher(whole=whole)
        self.size = 0
        self.record_id = 0
        self.draft: Draft | None = None
        self._limit = EXCESS_FACTOR * job.listed.octets + EXCESS
        if target.policy.max_size is not None:
            self._limit = min(self._limit, 2 * target.policy.max_size + SIZE_SLACK)
        if store:
            self.record_id = target.next_id()
            self.draft = target.sink.open(self.record_id, target.now())
            self._eol = EolConverter(target.sink.eol)
            header = target.received()
            if header:
                self.draft.write(self._eol.feed(header, canonical=True))

    def feed(self, chunk: BodyChunk) -> None:
        """Take the next piece. Raises ProtocolViolation where the message is far longer than announced."""
        self.size += len(chunk.data)
        if self.size > self._limit:
            raise ProtocolViolation(
                f"message {self.job.listed.number} does not end: {self.size} octets so far, "
                f"{self.job.listed.octets} announced"
            )
        self.hasher.update(chunk.data)
        if self.draft is not None:
            self.draft.write(self._eol.feed(chunk.data, canonical=chunk.canonical))

    def end(self) -> None:
        """The message is complete."""
        if self.draft is not None:
            rest = self._eol.finish()
            if rest:
                self.draft.write(rest)
