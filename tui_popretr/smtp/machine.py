"""The client's side of an SMTP or LMTP dialogue as a pure state machine. states.py has the states and their theory.

    machine = Machine()
    machine.receive(b"220 mx.example\\r\\n")  -> [Reply(220, ...)]
    machine.send(Ehlo("client.example"))      -> b"EHLO client.example\\r\\n"

Several commands may be in flight; replies are matched to them in order (RFC 2920). After 354 to DATA, content() encodes
the pieces of the message and end() its end; the verdicts are the replies to EndOfMessage.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from tui_popretr.secret import MIN_ECHO, STARS, starred
from tui_popretr.smtp.commands import Auth, Command, Data, Ehlo, EndOfMessage, Lhlo, Mail, Rcpt, StartTls
from tui_popretr.smtp.encoding import END, DataEncoder
from tui_popretr.smtp.errors import (
    EarlyReply,
    InjectedPlaintext,
    LocalProtocolError,
    RemoteProtocolError,
    UnexpectedEof,
    UnsolicitedReply,
)
from tui_popretr.smtp.extensions import Extensions
from tui_popretr.smtp.reply import Reply
from tui_popretr.smtp.states import ANSWERED, OTHER, SECRETS_OUT, SENDING, State, Trigger
from tui_popretr.text import visible

#: Limits: octets of a line and lines of a reply. A line may have 512 (RFC 5321 §4.5.3.1.5), in AUTH 12,288.
MAX_LINE = 12 * 1024
MAX_LINES = 256

_CODE = re.compile(rb"[2-5][0-9][0-9](?![^ -])")
_STARS = STARS.encode()
#: The code of a success, where it is not any 2yz.
_SUCCESS: dict[type[Command], int] = {StartTls: 220, Data: 354}


class Machine:
    """One connection's dialogue, from the greeting on; for implicit TLS, inside it.

    When the server breaks the protocol, the replies that were complete before are still returned, and the error is
    raised by whichever of check(), receive(), receive_eof(), send(), content(), end() and tls_started() is called next
    (at once when there are no such replies). From then on the machine is BROKEN and the error stays.
    """

    def __init__(self, *, lmtp: bool = False) -> None:
        #: What the server offers; nothing before EHLO, and after TLS has started (RFC 3207 §4.2).
        self.extensions = Extensions()
        self._lmtp = lmtp
        self._expected: deque[Command] = deque()
        self._rest = b""  # received, not yet part of a reply
        self._lines: list[bytes] = []  # of the reply that is being received, redacted
        self._secrets: list[bytes] = []
        self._accepted: list[Rcpt] = []  # recipients of the current message
        self._encoder = DataEncoder()
        self._leaving = False  # the server has sent 421
        self._failure: RemoteProtocolError | None = None
        self._state = State.GREETING

    # --- the state ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state. It is ahead of the replies: READY as soon as RSET was sent."""
        return self._state

    @property
    def outstanding(self) -> int:
        """How many replies are due."""
        return len(self._expected)

    @property
    def idle(self) -> bool:
        """Whether a command may be sent, and neither a reply is due nor any octet has come."""
        return not (self._expected or self._rest or self._lines) and bool(SENDING[self._state])

    @property
    def buffered(self) -> int:
        """How many octets are held: an incomplete reply."""
        return len(self._rest) + sum(map(len, self._lines))

    def redacted(self, text: bytes) -> bytes:
        """Return text of the server with secrets starred out, as in replies."""
        return starred(text, self._secrets, 1 if self._state in SECRETS_OUT else MIN_ECHO)

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, command: Command) -> bytes:
        """Register the command and return the bytes to send.

        LocalProtocolError if it is not allowed now; the machine is unchanged then. RemoteProtocolError if the server
        has broken the protocol, or has begun a reply that nothing was sent for.
        """
        return self.send_many((command,))

    def send_many(self, commands: Iterable[Command]) -> bytes:
        """Register several commands to be sent at once (see window.py)."""
        self._check_silence()
        return b"".join([self._send(command) for command in commands])

    def _send(self, command: Command) -> bytes:
        state = SENDING[self._state].get(type(command))
        if state is None or type(command) is EndOfMessage:
            raise LocalProtocolError(f"{command.shown()} cannot be sent now ({self._state.value})")
        if self._state is not State.CHALLENGED:
            self._expected.append(command)
        self._secrets += command.secrets()
        if type(command) is Mail:
            self._accepted = []
        self._state = state
        return command.wire()

    def content(self, data: bytes) -> bytes:
        """Return the bytes to send for a piece of the message. Raises as send()."""
        self._check_silence()
        if self._state is not State.CONTENT:
            raise LocalProtocolError(f"no message can be sent now ({self._state.value})")
        return self._encoder.feed(data)

    def end(self) -> bytes:
        """Return the bytes that end the message, and expect its verdicts. Raises as send()."""
        self._check_silence()
        if self._state is not State.CONTENT or not self._accepted:
            raise LocalProtocolError(f"no message can be ended now ({self._state.value})")
        recipients = [each.recipient for each in self._accepted] if self._lmtp else [""]
        self._expected += map(EndOfMessage, recipients)
        self._state = SENDING[State.CONTENT][EndOfMessage]
        return self._encoder.finish() + END

    def tls_started(self) -> None:
        """Continue inside TLS, after the handshake that follows STARTTLS. LocalProtocolError at any other time."""
        self.check()
        state = OTHER.get(self._state, {}).get(Trigger.TLS_STARTED)
        if state is None:
            raise LocalProtocolError(f"TLS cannot start now ({self._state.value})")
        self.extensions = Extensions()
        self._state = state

    def _check_silence(self) -> None:
        """Raise the error that ended the dialogue. Octets before a command must not be taken for its reply."""
        self.check()
        if (self._rest or self._lines) and (not self._expected or self._state is State.CHALLENGED):
            self._break(UnsolicitedReply("gave more answers than it was asked for"))
            self.check()

    # --- receiving ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise the RemoteProtocolError that ended the dialogue, if one did."""
        if self._failure is not None:
            raise self._failure

    def receive(self, data: bytes) -> list[Reply]:
        """Return the replies that are complete with these bytes.

        RemoteProtocolError as described for the class. Octets after the end of the session are discarded.
        """
        self.check()
        buffer = self._rest + data if self._rest else bytes(data)
        replies: list[Reply] = []
        try:
            self._rest = buffer[self._parse(buffer, replies) :]
        except RemoteProtocolError as error:
            self._break(error)
            if not replies:
                raise
        return replies

    def receive_eof(self) -> None:
        """Report that the server has closed the connection. UnexpectedEof unless the session is over."""
        self.check()
        if self._state is not State.CLOSED:
            self._break(UnexpectedEof("closed the connection"))
            self.check()

    def _parse(self, buffer: bytes, replies: list[Reply]) -> int:
        """Turn the buffer into replies; return how far it is used up."""
        at, size = 0, len(buffer)
        while at < size:
            if self._state is State.CLOSED:
                return size
            if self._state is State.TLS_HANDSHAKE:
                raise InjectedPlaintext("sent octets in clear after its answer to STARTTLS: the connection is not safe")
            end = buffer.find(b"\n", at, at + MAX_LINE)
            if end < 0:
                if size - at >= MAX_LINE:
                    raise RemoteProtocolError("gave an answer with an endless line")
                break
            reply = self._read_line(buffer[at:end].removesuffix(b"\r"))
            at = end + 1
            if reply is not None:
                replies.append(reply)
                if reply.command is None and self._state is State.CONTENT:
                    raise EarlyReply(f"answered a message before it had all of it: {reply}")
        return at

    def _read_line(self, line: bytes) -> Reply | None:
        """Add a line to the reply that is being received; return the reply if that completes it."""
        if self._secrets:
            line = self._redacted_line(line)
        due = self._expected or self._state in (State.GREETING, State.CONTENT)
        if not due or self._state is State.CHALLENGED:
            raise UnsolicitedReply(f"gave more answers than it was asked for: {visible(line, 200)}")
        if not _CODE.match(line):
            raise RemoteProtocolError(f"gave an answer that is not an SMTP reply: {visible(line, 200)}")
        if len(self._lines) == MAX_LINES:
            raise RemoteProtocolError(f"gave an answer of more than {MAX_LINES} lines")
        self._lines.append(line)
        if line[3:4] == b"-":
            return None
        received, self._lines = tuple(self._lines), []
        texts = tuple([each[4:].strip(b" \t") for each in received])
        command = self._expected[0] if self._expected else None
        reply = Reply(int(line[:3]), texts, command, received)
        self._take(reply)
        return reply

    def _redacted_line(self, line: bytes) -> bytes:
        """redacted(), with the code unchanged: the password may be a part of it."""
        redacted = self.redacted(line)
        if _CODE.match(line) and redacted[:4] != line[:4]:
            return line[:4] + _STARS
        return redacted

    def _take(self, reply: Reply) -> None:
        """Change the state as the reply demands."""
        command = reply.command
        self._leaving = self._leaving or reply.leaving
        if type(command) is EndOfMessage and len(self._expected) > 1 and type(self._expected[1]) is EndOfMessage:
            self._expected.popleft()  # a verdict of LMTP, and others follow
        elif self._leaving:
            self._expected.clear()
            self._state = State.CLOSED
        elif self._state is State.GREETING:
            self._state = OTHER[State.GREETING][Trigger.ACCEPTED if reply.ok else Trigger.REFUSED]
        elif command is not None and type(command) is Auth and reply.code == 334:
            if self._state is not State.LOGGING_IN:
                raise RemoteProtocolError("continues a login that was cancelled")
            self._state = OTHER[State.LOGGING_IN][Trigger.CHALLENGE]
        elif command is not None:
            self._finish(command, reply)

    def _finish(self, command: Command, reply: Reply) -> None:
        """Take the final reply to a command."""
        if self._state is State.CANCELLING and reply.ok:
            raise RemoteProtocolError("accepted a login that was cancelled")
        self._expected.popleft()
        kind = type(command)
        wanted = _SUCCESS.get(kind)
        ok = reply.ok if wanted is None else reply.code == wanted
        if ok and (kind is Ehlo or kind is Lhlo):
            self.extensions = Extensions.parse(reply.lines)
        elif ok and type(command) is Rcpt:
            self._accepted.append(command)
        state = ANSWERED[self._state].get((kind, ok))
        if state is State.CONTENT:
            self._encoder = DataEncoder()
        if state is not None:
            self._state = state

    def _break(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._rest, self._lines = b"", []
        self._state = State.BROKEN
