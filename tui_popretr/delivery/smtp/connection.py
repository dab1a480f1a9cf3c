"""One SMTP or LMTP connection: the protocol machine, its stream, the deadlines and the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import trio

from tui_popretr.delivery.remote import Say
from tui_popretr.delivery.smtp.refusals import Circumstances
from tui_popretr.errors import (
    ConnectionCut,
    DeliveryFailed,
    SmtpProtocolError,
    SmtpServerNotTrusted,
    SmtpTemporaryFailure,
)
from tui_popretr.facts import Direction
from tui_popretr.net.stream import Stream, send_within
from tui_popretr.smtp import (
    Command,
    InjectedPlaintext,
    LocalProtocolError,
    Machine,
    Quit,
    RemoteProtocolError,
    Reply,
    State,
    UnexpectedEof,
)
from tui_popretr.text import visible

#: Seconds to wait for a reply, for the TLS handshake, and for the server to take a piece of the message. RFC 5321
#: §4.5.3.2 has longer minimums; a working server answers a command in seconds, and a message without an answer is sent
#: again at the next run.
ANSWER_TIMEOUT: Final = 120.0
#: Seconds to wait for the answer to QUIT, and for a last answer before the server closes the connection.
QUIT_TIMEOUT: Final = 1.0
#: The errors of the stream and of the machine.
_BROKEN: Final = (ConnectionCut, RemoteProtocolError, LocalProtocolError)


class SmtpConnection:
    """Speaks SMTP or LMTP over a stream.

    Each wait is for a complete reply and has a deadline, which single octets do not extend. `timeout` is for the
    verdict on a message (RFC 5321 §4.5.3.2.6); no other wait is longer. Errors are DeliveryFailed with the server's
    name.
    """

    def __init__(self, stream: Stream, name: str, said: Say, *, lmtp: bool, timeout: float) -> None:
        self.stream = stream
        self.name = name
        self.lmtp = lmtp
        self.machine = Machine(lmtp=lmtp)
        #: Seconds for the verdict on a message, for any other answer, and for the last one before the end.
        self.verdict_timeout = timeout
        self.answer_timeout = min(ANSWER_TIMEOUT, timeout)
        self.quit_timeout = min(QUIT_TIMEOUT, timeout)
        self.under_tls = False
        self.logged_in = False
        #: The server closed the connection, or it broke.
        self.lost = False
        #: It must not be used for another message.
        self.spoiled = False
        #: An answer to one of several commands that were sent together did not come in time.
        self.pipeline_stalled = False
        #: The number of messages accepted, and of recipients refused, over this connection.
        self.served = self.refusals = 0
        self._together = False
        self._said = said
        self._replies: deque[Reply] = deque()  # received, and not used yet

    @property
    def circumstances(self) -> Circumstances:
        return Circumstances(self.under_tls, self.logged_in)

    @property
    def usable(self) -> bool:
        """Whether a new message can be sent over it, after RSET if the state is ENVELOPE."""
        ready = self.machine.idle and self.machine.state in (State.READY, State.ENVELOPE)
        return ready and not (self._replies or self.lost or self.spoiled)

    @property
    def working(self) -> bool:
        """Whether the dialogue can go on, with what is under way."""
        return not (self.gone or self.spoiled) and self.machine.state is not State.BROKEN

    @property
    def gone(self) -> bool:
        """Whether it is lost, or the server has announced that it closes it (421)."""
        return self.lost or self.machine.state is State.CLOSED

    @property
    def due(self) -> int:
        """The number of commands without an answer."""
        return self.machine.outstanding + len(self._replies)

    # --- the dialogue -------------------------------------------------------------------------------------------------

    async def ask(self, command: Command, timeout: float | None = None) -> Reply:
        """Send a command and return the reply."""
        await self.send([command])
        return await self.reply(timeout)

    async def send(self, commands: Sequence[Command]) -> None:
        """Send commands, several at once only to a server that offers PIPELINING. Each has a reply(), in this order."""
        try:
            data = self.machine.send_many(commands)
        except _BROKEN as problem:
            raise self._failure(problem) from problem
        self.say(Direction.OUT, (command.shown() for command in commands))
        self._together = len(commands) > 1
        await self._send(data)

    async def reply(self, timeout: float | None = None) -> Reply:
        """Wait for a reply; by default for `answer_timeout` seconds."""
        if not self._replies:
            due = trio.current_time() + (self.answer_timeout if timeout is None else timeout)
            with trio.CancelScope(deadline=due):
                try:
                    while not self._replies:
                        self.machine.check()
                        self._take(await self.stream.receive())
                except _BROKEN as problem:
                    raise self._failure(problem) from problem
            if not self._replies:
                self.pipeline_stalled = self._together
                raise SmtpTemporaryFailure(f"{self.name} did not answer in time")
        return self._replies.popleft()

    def check(self) -> None:
        """Raise the error of octets that have arrived behind the last reply."""
        try:
            self.machine.check()
        except _BROKEN as problem:
            raise self._failure(problem) from problem

    def has_spoken(self, *, look: bool = True) -> bool:
        """Whether the server has sent something unasked, such as a refusal or a timeout. Does not wait.

        Without `look` only what was read already counts. Raises DeliveryFailed if it has closed the connection, or has
        sent what is no reply.
        """
        if not self._replies:
            try:
                self.machine.check()
                if look and (data := self.stream.receive_nowait()) is not None:
                    self._take(data)
            except _BROKEN as problem:
                raise self._failure(problem) from problem
        return bool(self._replies or self.machine.buffered)

    async def send_content(self, data: bytes, following: Sequence[Command] = ()) -> None:
        """Send a part of the message, which the machine has encoded.

        `following` are sent with the end: the first commands of the next message.
        """
        self._together = bool(following)
        await self._send(data + self.machine.send_many(following) if following else data)

    def say(self, direction: Direction, texts: Iterable[str]) -> None:
        """Add lines to the transcript. The protocol's name distinguishes them from lines of the POP3 server."""
        self._said(direction, (f"{'LMTP' if self.lmtp else 'SMTP'} {text}" for text in texts))

    async def quit(self) -> None:
        """Send QUIT, wait a moment for the answer, and close. Never raises DeliveryFailed."""
        try:
            if self.usable:
                await self.ask(Quit(), self.quit_timeout)
        except DeliveryFailed:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection at once; never raises."""
        self.stream.close()
        self.say(Direction.EVENT, ["Disconnect"])

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _send(self, data: bytes) -> None:
        try:
            taken = await send_within(self.stream, data, self.answer_timeout)
        except _BROKEN as problem:
            raise self._failure(problem) from problem
        if not taken:
            self.spoiled = True
            raise SmtpTemporaryFailure(f"{self.name} has taken no data for {self.answer_timeout:g} s")

    def _take(self, data: bytes) -> None:
        if not data:
            self.machine.receive_eof()
            raise UnexpectedEof("closed the connection")
        replies = self.machine.receive(data)
        if replies:
            self._replies += replies
            self.say(Direction.IN, (visible(line) for reply in replies for line in reply.received))

    def _failure(self, problem: Exception) -> DeliveryFailed:
        """Return the error for an error of the stream or of the machine."""
        name = self.name
        match problem:
            case ConnectionCut():
                self.lost = True
                return SmtpTemporaryFailure(str(problem).replace("connection broke", f"connection to {name} broke", 1))
            case UnexpectedEof():
                self.lost = True
                return SmtpTemporaryFailure(f"{name} closed the connection")
            case InjectedPlaintext():
                return SmtpServerNotTrusted(f"{name} {problem}")
            case RemoteProtocolError():
                return SmtpProtocolError(f"{name} {problem}")
        self.spoiled = True
        return DeliveryFailed(f"cannot send to {name}: {problem}")
