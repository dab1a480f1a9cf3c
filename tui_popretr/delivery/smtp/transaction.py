"""One message handed over: MAIL, RCPT, DATA, and who has accepted it (RFC 5321 §3.3, RFC 2033 §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tui_popretr import faultpoints
from tui_popretr.delivery.smtp.addresses import envelope_address
from tui_popretr.delivery.smtp.connection import Extensions
from tui_popretr.delivery.smtp.encoding import END, DataEncoder
from tui_popretr.delivery.smtp.reply import Reply
from tui_popretr.delivery.smtp.wire import Wire
from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import DeliveryFailed, MessageRejected, ReceiverBroke, ReceiverConfused, ReceiverRefused
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step

#: Of the message and not of its sender: more storage than there is, or than a message may take (RFC 1870 §6.1).
_TOO_LARGE = 552


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be handed over. The recipients are in the configuration's form."""

    sender: str
    recipients: Sequence[str]
    message: Spool
    eight_bit: bool  # whether there are octets over 127 in it


@dataclass(slots=True)
class Outcome:
    """What became of it, by recipient."""

    accepted: dict[str, Reply] = field(default_factory=dict)
    refused: dict[str, Reply] = field(default_factory=dict)
    #: The message was sent whole.
    sent: bool = False
    #: Why nobody knows of the rest whether they have it: the connection broke when the message had been sent.
    problem: DeliveryFailed | None = None


def check_size(name: str, extensions: Extensions, octets: int) -> None:
    """Raise MessageRejected where the server has said that it takes no message of so many octets (RFC 1870 §6)."""
    if extensions.largest is not None and octets > extensions.largest:
        raise MessageRejected(
            f"{name} takes messages of at most {extensions.largest} octets, and this one has {octets}",
            advice="raise the mail server's limit, or set maxsize so that such messages are not retrieved at all",
        )


class Transaction:
    """One message over one connection. Blocking.

    begin() first: when the server has closed an idle connection, it shows there. Where DeliveryFailed is raised,
    nobody has the message.
    """

    def __init__(self, wire: Wire, extensions: Extensions, letter: Letter, *, lmtp: bool) -> None:
        #: Another message can follow without RSET.
        self.at_rest = False
        self._wire = wire
        self._extensions = extensions
        self._letter = letter
        self._lmtp = lmtp

    def begin(self) -> Reply:
        """Send MAIL and return the answer. Raises DeliveryFailed; MessageRejected where the message is too large."""
        letter, offered = self._letter, self._extensions
        octets = letter.message.octets
        check_size(self._wire.name, offered, octets)
        sender = envelope_address(letter.sender)
        utf8 = offered.utf8 and not all(each.isascii() for each in (sender, *map(envelope_address, letter.recipients)))
        if not sender.isascii() and not utf8:
            raise ReceiverRefused(f"{self._wire.name} does not offer SMTPUTF8, which the sender {sender} needs")
        # An answer to MAIL stands behind all that follows: without SMTPUTF8 everything is ASCII.
        self._wire.command_encoding = "utf-8" if utf8 else "ascii"
        options = ""
        if offered.size:
            options += f" SIZE={octets}"
        if offered.eight_bit and letter.eight_bit:
            options += " BODY=8BITMIME"
        if utf8:
            options += " SMTPUTF8"
        return self._wire.ask(f"MAIL FROM:<{sender}>{options}")

    def go_on(self, answer: Reply) -> Outcome:
        """Do all the rest, `answer` being begin()'s. Raises DeliveryFailed."""
        if not answer.ok:
            kind = MessageRejected if answer.code == _TOO_LARGE else ReceiverRefused
            raise self._refusal(f"refused the sender {self._letter.sender}", answer, kind)
        outcome = Outcome()
        willing = [each for each in self._letter.recipients if self._is_willing(each, outcome)]
        if not willing:
            return outcome
        faultpoints.reached(Step.ENVELOPE_ACCEPTED)
        answer = self._wire.ask("DATA", patience=self._wire.deadlines.data)
        if answer.code != 354:
            raise self._refusal("refused the message", answer, MessageRejected)
        self._wire.over = True  # whatever is said now, the server takes for a part of the message
        self._send_message()
        outcome.sent = True
        self._wire.say(Direction.EVENT, f"Sent MessageBody octets={self._letter.message.octets}")
        faultpoints.reached(Step.DOT_SENT)
        self._read_verdicts(willing, outcome)
        return outcome

    # --- inside -------------------------------------------------------------------------------------------------------

    def _is_willing(self, recipient: str, outcome: Outcome) -> bool:
        address = envelope_address(recipient)
        if not address.isascii() and not self._extensions.utf8:
            reply = Reply(553, (b"the address needs SMTPUTF8, which the server does not offer",))
        else:
            reply = self._wire.ask(f"RCPT TO:<{address}>")
        if reply.leaving:
            raise self._refusal("ended the session", reply, ReceiverRefused)
        if not reply.ok:
            outcome.refused[recipient] = reply
        return reply.ok

    def _send_message(self) -> None:
        """Send the message with its end. Raises DeliveryFailed where the server has refused before that."""
        encoder = DataEncoder()
        held = b""  # the last piece goes with the end: most messages are a single packet then
        for piece in self._letter.message.pieces():
            self._send(held)
            self._expect_silence()
            held = encoder.feed(piece)
        self._expect_silence()
        faultpoints.reached(Step.DATA_SENT)
        self._send(held + encoder.finish() + END)

    def _send(self, data: bytes) -> None:
        wire = self._wire
        try:
            if data:
                wire.stream(data)
        except ReceiverBroke as broken:
            if not wire.lost:
                raise
            try:
                reply = wire.reply(wire.deadlines.farewell)  # it may have said why before it hung up
            except DeliveryFailed:
                raise broken from None
            raise self._broken_off(reply) from None

    def _expect_silence(self) -> None:
        if self._wire.has_spoken():
            raise self._broken_off(self._wire.reply(self._wire.deadlines.farewell))

    def _broken_off(self, reply: Reply) -> DeliveryFailed:
        """Return the error for an answer to a message that the server has only in part."""
        self._wire.over = True
        if reply.code < 400:
            return ReceiverConfused(f"{self._wire.name} accepted a message before it had all of it: {reply}")
        return self._refusal("broke the message off", reply, MessageRejected)

    def _read_verdicts(self, willing: list[str], outcome: Outcome) -> None:
        """Read the answer to the message, in LMTP one for each recipient."""
        waiting = list(willing)
        try:
            while waiting:
                reply = self._wire.reply(self._wire.deadlines.end)
                concerned = waiting[:1] if self._lmtp else waiting
                if 300 <= reply.code < 400:
                    raise ReceiverConfused(f"{self._wire.name} neither accepted nor refused the message: {reply}")
                verdicts = outcome.accepted if reply.ok else outcome.refused
                verdicts.update(dict.fromkeys(concerned, reply))
                del waiting[: len(concerned)]
        except DeliveryFailed as problem:
            outcome.problem = problem
            return
        faultpoints.reached(Step.DOT_ANSWERED)
        self.at_rest = True

    def _refusal(self, what: str, reply: Reply, kind: type[DeliveryFailed]) -> DeliveryFailed:
        """Return the error for a refusal; one that may pass is another kind than one for good."""
        if reply.code < 400:
            kind = ReceiverConfused
        elif reply.passing:
            kind = ReceiverBroke
        return kind(f"{self._wire.name} {what}: {reply}")
