"""One transaction: MAIL, RCPT, DATA, the end, and the answers for its recipients (RFC 5321 §3.3, RFC 2033 §4.2)."""

from __future__ import annotations

import contextlib

from tui_popretr import faultpoints
from tui_popretr.delivery.smtp.commands import Commands
from tui_popretr.delivery.smtp.connection import Extensions
from tui_popretr.delivery.smtp.refusals import Phase, common_refusal
from tui_popretr.delivery.smtp.rounds import Envelope, RecipientOutcome, Result, is_too_many
from tui_popretr.delivery.smtp.wire import SmtpConnection
from tui_popretr.errors import (
    DeliveryFailed,
    MessageRejected,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step
from tui_popretr.smtp.addresses import envelope_address
from tui_popretr.smtp.encoding import END, DataEncoder
from tui_popretr.smtp.reply import Reply

#: Refusals of a recipient that may concern the connection. Those that concern a mailbox are 450.
_DEFERRED = frozenset((451, 452))
_NEEDS_UTF8 = Reply(553, (b"the address needs SMTPUTF8, which the server does not offer",))


def check_size(name: str, extensions: Extensions, octets: int) -> None:
    """Raise MessageRejected if the server has announced a smaller limit (RFC 1870 §6)."""
    if extensions.largest is not None and octets > extensions.largest:
        raise MessageRejected(
            f"{name} takes messages of at most {extensions.largest} octets, and this one has {octets}",
            advice="raise the mail server's limit, or set maxsize so that such messages are not retrieved at all",
        )


class SmtpTransaction:
    """One message over one connection. Blocking.

    Call begin(), send_data() and end(), in this order. begin() notices that the server has closed an idle connection.
    The server cannot accept the message before end(). If a method raises DeliveryFailed, the server has not accepted
    the message.
    """

    def __init__(self, wire: SmtpConnection, extensions: Extensions, envelope: Envelope, *, lmtp: bool) -> None:
        self.wire = wire
        self.envelope = envelope
        #: The server waits for the rest of the message. The only way back is to close the connection.
        self.open = False
        #: Another message can follow without RSET.
        self.at_rest = False
        #: The server has refused the sender or all recipients, whether or not it has answered the other commands.
        self.refused = False
        #: A temporary refusal: the server may accept the message over another connection.
        self.deferred = False
        self._extensions = extensions
        self._lmtp = lmtp
        self._commands = Commands(wire, (), together=False)
        self._willing: list[str] = []
        self._answers: list[tuple[str, Reply]] = []
        self._cut_short = False
        self._utf8 = False
        self._outcome = RecipientOutcome(circumstances=wire.circumstances)
        self._held = b""

    def begin(self) -> Reply:
        """Send MAIL and return the answer. Raises DeliveryFailed; MessageRejected if the message is too large.

        With PIPELINING, RCPT and DATA are sent with it.
        """
        envelope, offered = self.envelope, self._extensions
        octets = envelope.message.octets
        check_size(self.wire.name, offered, octets)
        sender = envelope_address(envelope.sender)
        addresses = {each: envelope_address(each) for each in envelope.recipients}
        in_ascii = all(each.isascii() for each in (sender, *addresses.values()))
        self._utf8 = utf8 = offered.utf8 and (envelope.utf8 or not in_ascii)
        if not sender.isascii() and not utf8:
            raise SmtpServerRefused(f"{self.wire.name} does not offer SMTPUTF8, which the sender {sender} needs")
        # The commands that follow have the encoding of MAIL: without SMTPUTF8 they are ASCII.
        self.wire.command_encoding = "utf-8" if utf8 else "ascii"
        options = ""
        if offered.size:
            options += f" SIZE={octets}"
        if offered.eight_bit and envelope.eight_bit:
            options += " BODY=8BITMIME"
        if utf8:
            options += " SMTPUTF8"
        self._willing = [each for each, address in addresses.items() if address.isascii() or utf8]
        self._outcome.refused = {each: _NEEDS_UTF8 for each in addresses if each not in self._willing}
        recipients = [f"RCPT TO:<{addresses[each]}>" for each in self._willing]
        lines = [f"MAIL FROM:<{sender}>{options}", *recipients, "DATA"]
        self._commands = Commands(self.wire, lines, together=offered.pipelining)
        return self._commands.answer(self.wire.deadlines.answer)

    def send_data(self, answer: Reply) -> None:
        """Send the rest without the end. `answer` is from begin(). Raises DeliveryFailed."""
        if not answer.ok:
            self.deferred = answer.passing
            self._abort_pipeline()
            raise self._refusal(f"refused the sender {self.envelope.sender}", answer, Phase.MAIL)
        try:
            if not self._is_awaited():
                return
        except SmtpTemporaryFailure:
            # The server has closed the connection after refused recipients; another connection may reach the others.
            if not self.wire.gone or all(reply.ok for _, reply in self._answers):
                self.deferred = self.deferred or self.wire.gone
                raise
            self._cut_short, self._willing = True, []
            return
        self.wire.over = True  # the server takes everything from here on for the message
        self._send_most()
        self.open = True
        faultpoints.reached(Step.DATA_SENT)

    def end(self) -> Result:
        """Send the end if a recipient was accepted; return the result. Raises DeliveryFailed."""
        if self._willing:
            self._finish(self._outcome)
        could_use_utf8 = self._extensions.utf8 and not self._utf8
        return Result(self.envelope, self._outcome, tuple(self._answers), self._cut_short, could_use_utf8)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _is_awaited(self) -> bool:
        """Read the answers to RCPT and DATA; return whether the server waits for the message."""
        self._willing = [each for each in self._willing if self._is_willing(each)]
        if not self._willing:
            self.deferred = bool(self._answers) and all(reply.code in _DEFERRED for _, reply in self._answers)
            self._abort_pipeline()
            return False
        faultpoints.reached(Step.ENVELOPE_ACCEPTED)
        answer = self._commands.answer(self.wire.deadlines.data)
        if answer.code != 354:
            self.deferred = answer.passing
            raise self._refusal("refused the message", answer, Phase.DATA)
        return True

    def _finish(self, outcome: RecipientOutcome) -> None:
        self.open = False
        self._expect_silence()
        self._send(self._held)
        self.wire.say(Direction.EVENT, f"Sent MessageBody octets={self.envelope.message.octets}")
        faultpoints.reached(Step.DOT_SENT)
        self._read_verdicts(outcome)

    def _is_willing(self, recipient: str) -> bool:
        reply = self._commands.answer(self.wire.deadlines.answer)
        if reply.leaving:
            raise self._refusal("ended the session", reply, Phase.RCPT)
        self._answers.append((recipient, reply))
        if not reply.ok:
            self.wire.refusals += 1
            self._outcome.refused[recipient] = reply
        return reply.ok

    def _abort_pipeline(self) -> None:
        """Read the answers to the commands after the refused ones, which may have been sent already.

        The server may answer 354 to DATA nevertheless (RFC 2920 §3.1). The dot that the RFC proposes then could be
        taken for an empty message, so the connection is closed instead.
        """
        self.refused = True
        with contextlib.suppress(DeliveryFailed):  # the connection is unusable, and the refusal is reported
            if any(reply.code == 354 for reply in self._commands.skip(self.wire.deadlines.data)):
                self.wire.over = True

    def _send_most(self) -> None:
        """Send the message without its last piece. Raises DeliveryFailed if the server refuses it before that."""
        encoder = DataEncoder()
        held = b""  # the last piece is sent with the end, so that most messages need one packet
        for piece in self.envelope.message.pieces():
            self._send(held)
            self._expect_silence()
            held = encoder.feed(piece)
        self._held = held + encoder.finish() + END

    def _send(self, data: bytes) -> None:
        wire = self.wire
        try:
            if data:
                wire.stream(data)
        except SmtpTemporaryFailure as broken:
            if not wire.lost:
                raise
            try:
                reply = wire.reply(wire.deadlines.quit)  # it may have sent the reason before it closed the connection
            except DeliveryFailed:
                raise broken from None
            raise self._broken_off(reply) from None

    def _expect_silence(self) -> None:
        if self.wire.has_spoken():
            raise self._broken_off(self.wire.reply(self.wire.deadlines.quit))

    def _broken_off(self, reply: Reply) -> DeliveryFailed:
        """Return the error for an answer in the middle of the message."""
        self.wire.over = True
        if reply.code < 400:
            return SmtpProtocolError(f"{self.wire.name} accepted a message before it had all of it: {reply}")
        return self._refusal("broke the message off", reply, Phase.CONTENT)

    def _read_verdicts(self, outcome: RecipientOutcome) -> None:
        """Read the answer to the message, in LMTP one for each recipient."""
        waiting = list(self._willing)
        try:
            while waiting:
                reply = self.wire.reply(self.wire.deadlines.end)
                concerned = waiting[:1] if self._lmtp else waiting
                if 300 <= reply.code < 400:
                    raise SmtpProtocolError(f"{self.wire.name} neither accepted nor refused the message: {reply}")
                verdicts = outcome.accepted if reply.ok else outcome.refused
                verdicts.update(dict.fromkeys(concerned, reply))
                if not reply.ok:
                    outcome.judged.update(concerned)
                del waiting[: len(concerned)]
        except DeliveryFailed as problem:
            outcome.problem, outcome.doubtful = problem, tuple(waiting)
            return
        finally:
            self.wire.served += bool(outcome.accepted)
        faultpoints.reached(Step.DOT_ANSWERED)
        self.at_rest = True

    def _refusal(self, what: str, reply: Reply, phase: Phase) -> DeliveryFailed:
        """Return the error for a refusal, temporary or permanent."""
        text = f"{self.wire.name} {what}: {reply}"
        if reply.code < 400:
            self.wire.over = True  # it is unknown which answer belongs to which command
            return SmtpProtocolError(text)
        # After DATA the refusal is about the message only if no recipient was refused for now or for our configuration.
        others = ((other, Phase.RCPT) for _, other in self._answers if not other.ok and not is_too_many(other))
        return common_refusal(text, ((reply, phase), *others), self.wire.circumstances)
