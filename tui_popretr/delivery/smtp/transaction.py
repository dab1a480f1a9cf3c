"""One transaction: MAIL, RCPT, DATA, the end, and the answers for its recipients (RFC 5321 §3.3, RFC 2033 §4.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from tui_popretr import faultpoints
from tui_popretr.delivery.errors import starting_threads
from tui_popretr.delivery.smtp.connection import SmtpConnection
from tui_popretr.delivery.smtp.refusals import Phase, common_refusal
from tui_popretr.delivery.smtp.rounds import Envelope, RecipientOutcome, Result, is_too_many
from tui_popretr.delivery.threads import next_piece
from tui_popretr.errors import (
    DeliveryFailed,
    MessageRejected,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step
from tui_popretr.smtp import Command, Data, Extensions, Mail, Rcpt, Reply, envelope_address, groups

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
    """One message over one connection.

    Call begin(), send_data() and end(), in this order. begin() notices that the server has closed an idle connection.
    The server cannot accept the message before end(). If a method raises DeliveryFailed, the server has not accepted
    the message.

    begin_early() may be called before begin(). What it makes is sent with the end of the message before, which saves a
    round trip (RFC 2920 §3.1).
    """

    def __init__(self, connection: SmtpConnection, envelope: Envelope, *, pipelining: bool) -> None:
        """`pipelining`: use it if the server offers it."""
        self.connection = connection
        self.envelope = envelope
        #: The server waits for the rest of the message. The only way back is to close the connection.
        self.open = False
        #: The end was sent, or a part of it.
        self.ended = False
        #: The server has refused the sender or all recipients, whether or not it has answered the other commands.
        self.refused = False
        #: A temporary refusal: the server may accept the message over another connection.
        self.deferred = False
        #: The connection was used before, so that a new one may be treated better.
        self.connection_used = False
        #: What begin_early() has made, until the server waits for the message.
        self.early: Sequence[Command] = ()
        self._extensions = connection.machine.extensions
        #: Whether commands may be sent together.
        self.pipelining = pipelining and self._extensions.pipelining
        self._groups: Iterator[list[Command]] = iter(())
        self._willing: list[str] = []
        self._answers: list[tuple[str, Reply]] = []
        self._utf8 = False
        self._outcome = RecipientOutcome(circumstances=connection.circumstances)
        self._waiting: list[str] = []  # for a verdict
        self._held = b""

    async def begin(self) -> Reply:
        """Send MAIL and return the answer. Raises DeliveryFailed; MessageRejected if the message is too large.

        With PIPELINING, RCPT and DATA are sent with it.
        """
        if not self.early:
            self._compose()
        self.connection_used = self.connection.served > 0 or self.connection.refusals > 0
        return await self._answer()

    def begin_early(self) -> None:
        """Make `early`, for end() of the message before. Only with PIPELINING. Raises as begin()."""
        self._compose()
        self.early = next(self._groups)

    async def send_data(self, answer: Reply) -> None:
        """Send the rest without the end. `answer` is from begin(). Raises DeliveryFailed."""
        if not answer.ok:
            self.deferred = answer.passing
            await self._abort_pipeline()
            raise self._refusal(f"refused the sender {self.envelope.sender}", answer, Phase.MAIL)
        try:
            if not await self._is_awaited():
                return
        except SmtpTemporaryFailure:
            # The server has closed the connection after refused recipients; another connection may reach the others.
            if not self.connection.gone or all(reply.ok for _, reply in self._answers):
                self.deferred = self.deferred or self.connection.gone
                raise
            self._willing = []
            return
        await self._send_most()
        self.open = True
        faultpoints.reached(Step.DATA_SENT)

    async def end(self, following: Sequence[Command] = ()) -> Result:
        """Send the end if a recipient was accepted; return the result. Raises DeliveryFailed.

        `following` is sent with it: `early` of the next message.
        """
        if self._willing:
            await self._finish(following)
        return self.result()

    def give_up(self, problem: DeliveryFailed) -> None:
        """Record that the verdicts that are missing will not be read, and why."""
        self._outcome.problem, self._outcome.doubtful = problem, tuple(self._waiting)

    def result(self) -> Result:
        """Return the result so far."""
        could_use_utf8 = self._extensions.utf8 and not self._utf8
        return Result(self.envelope, self._outcome, tuple(self._answers), could_use_utf8)

    # --- the envelope -------------------------------------------------------------------------------------------------

    def _compose(self) -> None:
        """Make the commands. Raises as begin()."""
        envelope, offered, name = self.envelope, self._extensions, self.connection.name
        octets = envelope.message.octets
        check_size(name, offered, octets)
        sender = envelope_address(envelope.sender)
        addresses = {each: envelope_address(each) for each in envelope.recipients}
        in_ascii = "".join((sender, *addresses.values())).isascii()
        self._utf8 = utf8 = offered.utf8 and (envelope.utf8 or not in_ascii)
        if not sender.isascii() and not utf8:
            raise SmtpServerRefused(f"{name} does not offer SMTPUTF8, which the sender {sender} needs")
        mail = Mail(
            sender,
            size=octets if offered.size else None,
            eight_bit=offered.eight_bit and envelope.eight_bit,
            utf8=utf8,
        )
        self._willing = [each for each, address in addresses.items() if address.isascii() or utf8]
        if len(self._willing) < len(addresses):
            self._outcome.refused = {each: _NEEDS_UTF8 for each in addresses if each not in self._willing}
        recipients = [Rcpt(addresses[each], utf8) for each in self._willing]
        self._groups = groups([mail, *recipients, Data()], pipelining=self.pipelining)

    async def _answer(self) -> Reply:
        """Return the answer to the next command, which is sent now at the latest."""
        if not self.connection.due:
            await self.connection.send(next(self._groups))
        return await self.connection.reply()

    async def _is_awaited(self) -> bool:
        """Read the answers to RCPT and DATA; return whether the server waits for the message."""
        self._willing = [each for each in self._willing if await self._is_willing(each)]
        if not self._willing:
            self.deferred = bool(self._answers) and all(reply.code in _DEFERRED for _, reply in self._answers)
            await self._abort_pipeline()
            return False
        faultpoints.reached(Step.ENVELOPE_ACCEPTED)
        answer = await self._answer()
        if answer.code != 354:
            self.deferred = answer.passing
            raise self._refusal("refused the message", answer, Phase.DATA)
        self.early = ()
        return True

    async def _is_willing(self, recipient: str) -> bool:
        reply = await self._answer()
        if reply.leaving:
            raise self._refusal("ended the session", reply, Phase.RCPT)
        if reply.code < 400 and not reply.ok:
            raise self._refusal(f"neither accepted nor refused {recipient}", reply, Phase.RCPT)
        self._answers.append((recipient, reply))
        if not reply.ok:
            self.connection.refusals += 1
            self._outcome.refused[recipient] = reply
        return reply.ok

    async def _abort_pipeline(self) -> None:
        """Read the answers to the commands after the refused ones, which may have been sent already.

        The server may answer 354 to DATA nevertheless (RFC 2920 §3.1). The dot that the RFC proposes then could be
        taken for an empty message, so the connection is closed instead: it is not usable in this state.
        """
        self.refused = True
        with contextlib.suppress(DeliveryFailed):  # the connection is unusable, and the refusal is reported
            while self.connection.due:
                await self.connection.reply()

    # --- the message --------------------------------------------------------------------------------------------------

    async def _send_most(self) -> None:
        """Send the message without its last piece. Raises DeliveryFailed if the server refuses it before that."""
        self._held = b""  # the last piece is sent with the end, so that most messages need one packet
        pieces, message = self.envelope.message.pieces(), self.envelope.message
        while piece := (await self._read(pieces) if message.in_file else next(pieces, b"")):
            if self._held:
                await self._send(self._held)
            await self._expect_silence(look=bool(self._held))  # nothing was sent since 354: it needs no system call
            self._held = self.connection.machine.content(piece)

    async def _read(self, pieces: Iterator[bytes]) -> bytes:
        with starting_threads(SmtpTemporaryFailure, f"cannot send to {self.connection.name}"):
            return await next_piece(pieces)

    async def _finish(self, following: Sequence[Command]) -> None:
        connection = self.connection
        self.open = False
        await self._expect_silence()
        end = connection.machine.end()
        self._waiting, self.ended = list(self._willing), True
        try:
            if following:
                await connection.send_content(self._held + end, following)
            else:
                await self._send(self._held + end)
        except DeliveryFailed as problem:
            if not following:
                raise
            if not connection.lost:
                self.give_up(problem)
                return
            # The server may have the end, and have answered it.
        else:
            connection.say(Direction.EVENT, [f"Sent MessageBody octets={self.envelope.message.octets}"])
            connection.say(Direction.OUT, (command.shown() for command in following))
        faultpoints.reached(Step.DOT_SENT)
        await self._read_verdicts()

    async def _send(self, data: bytes) -> None:
        connection = self.connection
        try:
            await connection.send_content(data)
        except SmtpTemporaryFailure as broken:
            if not connection.lost:
                raise
            try:  # it may have sent the reason before it closed the connection
                reply = await connection.reply(connection.quit_timeout)
            except DeliveryFailed:
                raise broken from None
            raise self._broken_off(reply) from None

    async def _expect_silence(self, *, look: bool = True) -> None:
        if self.connection.has_spoken(look=look):
            raise self._broken_off(await self.connection.reply(self.connection.quit_timeout))

    def _broken_off(self, reply: Reply) -> DeliveryFailed:
        """Return the error for an answer in the middle of the message."""
        if reply.code < 400:
            return SmtpProtocolError(f"{self.connection.name} accepted a message before it had all of it: {reply}")
        return self._refusal("broke the message off", reply, Phase.CONTENT)

    async def _read_verdicts(self) -> None:
        """Read the answer to the message, in LMTP one for each recipient."""
        connection, outcome = self.connection, self._outcome
        try:
            while self._waiting:
                reply = await connection.reply(connection.verdict_timeout)
                concerned = self._waiting[:1] if connection.lmtp else self._waiting
                if 300 <= reply.code < 400:
                    connection.spoiled = True
                    raise SmtpProtocolError(f"{connection.name} neither accepted nor refused the message: {reply}")
                verdicts = outcome.accepted if reply.ok else outcome.refused
                verdicts.update(dict.fromkeys(concerned, reply))
                if not reply.ok:
                    outcome.judged.update(concerned)
                self._waiting = self._waiting[len(concerned) :]
        except DeliveryFailed as problem:
            self.give_up(problem)
            return
        finally:
            connection.served += bool(outcome.accepted)
        faultpoints.reached(Step.DOT_ANSWERED)

    def _refusal(self, what: str, reply: Reply, phase: Phase) -> DeliveryFailed:
        """Return the error for a refusal, temporary or permanent."""
        text = f"{self.connection.name} {what}: {reply}"
        if reply.code < 400:
            self.connection.spoiled = True  # it is unknown which answer belongs to which command
            return SmtpProtocolError(text)
        # After DATA the refusal is about the message only if no recipient was refused for now or for our configuration.
        others = ((other, Phase.RCPT) for _, other in self._answers if not other.ok and not is_too_many(other))
        return common_refusal(text, ((reply, phase), *others), self.connection.circumstances)
