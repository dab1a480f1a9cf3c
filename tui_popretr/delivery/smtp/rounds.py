"""The transactions that one message needs, until each recipient has an answer.

A server may accept only some recipients in one transaction (RFC 5321 §4.5.3.1.10), close the connection after it has
refused several ("421 too many errors"), or require SMTPUTF8 for a header in UTF-8 (RFC 6531 §3.5). The message is then
sent again to the recipients without an answer. A recipient that was refused, for now or for good, is not tried twice.

Each transaction leaves fewer recipients, sends to fewer at once, or is the first with SMTPUTF8; so their number is
limited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from tui_popretr.delivery.smtp.refusals import Circumstances
from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import DeliveryFailed
from tui_popretr.smtp import Reply

_TOO_MANY: Final = frozenset((452, 552))
_TOO_MANY_STATUS: Final = re.compile(rb"[45]\.5\.3\b")
#: About one mailbox, for example a full one (RFC 3463 §3.3).
_MAILBOX_STATUS: Final = re.compile(rb"[45]\.2\.")
_UTF8_STATUS: Final = re.compile(rb"5\.6\.(7|8|9|10)\b")
_UTF8: Final = re.compile(rb"smtputf8|utf-?8|internationali[sz]ed|non-?ascii", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message to be sent. The recipients are as in the configuration."""

    sender: str
    recipients: tuple[str, ...]
    message: Spool
    eight_bit: bool  # it has octets over 127
    utf8: bool = False  # use SMTPUTF8 also with ASCII addresses


@dataclass(slots=True)
class RecipientOutcome:
    """The results, by recipient."""

    accepted: dict[str, Reply] = field(default_factory=dict)
    refused: dict[str, Reply] = field(default_factory=dict)
    #: Those of the refused recipients that were refused after the message had been sent.
    judged: set[str] = field(default_factory=set)
    #: Recipients for which the result is unknown: the connection broke after the message had been sent. And why.
    doubtful: tuple[str, ...] = ()
    problem: DeliveryFailed | None = None
    #: Why a further transaction failed.
    failure: DeliveryFailed | None = None
    #: Of the last connection.
    circumstances: Circumstances = field(default_factory=Circumstances)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one transaction."""

    envelope: Envelope
    outcome: RecipientOutcome
    #: The answers to RCPT, in their order.
    answers: tuple[tuple[str, Reply], ...] = ()
    #: SMTPUTF8 is offered and was not used.
    could_use_utf8: bool = False

    @property
    def room(self) -> int:
        """How many recipients the server took."""
        return sum(reply.ok for _, reply in self.answers)

    @property
    def excess(self) -> set[str]:
        """Recipients beyond the server's limit, which another transaction may reach."""
        last = max((number for number, (_, reply) in enumerate(self.answers, 1) if reply.ok), default=0)
        return {each for each, reply in self.answers[last:] if last and is_too_many(reply)}

    @property
    def wanting_utf8(self) -> set[str]:
        """Recipients that may accept the message with SMTPUTF8."""
        if not (self.could_use_utf8 and self.envelope.eight_bit):
            return set()
        return {each for each in self.outcome.judged if _wants_utf8(self.outcome.refused[each])}


class Rounds:
    """Decides which transaction comes next."""

    def __init__(self, envelope: Envelope) -> None:
        self.outcome = RecipientOutcome()
        self._envelope = envelope
        self._left = list(envelope.recipients)
        self._most = len(self._left)

    @property
    def left(self) -> list[str]:
        """Recipients without any answer."""
        total = self.outcome
        return [each for each in self._left if each not in total.refused and each not in total.doubtful]

    def is_last(self, result: Result) -> bool:
        """Whether no transaction follows, if the server accepts the message. `result` is that before the end."""
        return len(result.envelope.recipients) == len(self.left) and not result.excess

    def next(self, result: Result) -> Envelope | None:
        """Take the result of a transaction; return what the next one sends, None if it was the last."""
        total, new = self.outcome, result.outcome
        for each in result.envelope.recipients:  # the newest answer counts
            total.refused.pop(each, None)
            total.judged.discard(each)
        total.accepted.update(new.accepted)
        total.refused.update(new.refused)
        total.judged |= new.judged
        total.problem, total.doubtful = new.problem, new.doubtful
        total.circumstances = new.circumstances
        if len(new.accepted) == len(self._left):  # as nearly always
            self._left = []
            return None
        before = self._measure
        excess, wanting_utf8 = result.excess, result.wanting_utf8
        answered = (new.accepted.keys() | new.refused.keys()) - excess - wanting_utf8
        self._left = [each for each in self._left if each not in answered]
        if wanting_utf8:
            self._envelope = replace(self._envelope, utf8=True)
        if excess:
            self._most = min(self._most, result.room)
        deferred = not new.accepted and any(new.refused[each].passing for each in new.judged)
        if not self._left or new.problem is not None or deferred or self._measure >= before:
            return None
        return replace(self._envelope, recipients=tuple(self._left[: self._most]))

    @property
    def _measure(self) -> tuple[int, int, bool]:
        return len(self._left), self._most, not self._envelope.utf8


def is_too_many(reply: Reply) -> bool:
    """Whether a recipient may have been refused only because there are too many (RFC 5321 §4.5.3.1.10)."""
    text = reply.lines[0]
    if _TOO_MANY_STATUS.match(text):
        return True
    return reply.code in _TOO_MANY and not _MAILBOX_STATUS.match(text)


def _wants_utf8(reply: Reply) -> bool:
    return reply.code >= 500 and any(_UTF8_STATUS.match(line) or _UTF8.search(line) for line in reply.lines)
