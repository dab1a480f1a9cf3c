"""The client's side of an IMAP dialogue as a pure state machine. states.py has the states and their theory.

    machine = Machine()
    machine.receive(b"* OK hi\\r\\n")     -> [Status(OK)]
    machine.send(Noop())                -> b"a1 NOOP\\r\\n"
    machine.receive(b"a1 OK done\\r\\n")  -> [Status(OK, command=Noop())]

Several commands may be in flight; an answer belongs to the command with its tag.

A command with a literal that has to wait is sent up to the literal, and `waiting` is set; after the Continuation,
go_on() returns the rest. An APPEND is sent in pieces: send(), then content() until the size of the message is reached;
next_message() before each further one; end() last. The server cannot have a message before end().
"""

from __future__ import annotations

import re
from dataclasses import replace

from tui_popretr.imap.capabilities import Capabilities
from tui_popretr.imap.commands import Append, Authenticate, Command, Login
from tui_popretr.imap.errors import (
    EarlyCompletion,
    InjectedPlaintext,
    LocalProtocolError,
    RemoteProtocolError,
    UnexpectedEof,
)
from tui_popretr.imap.parsing import parse_data, parse_status
from tui_popretr.imap.reader import ResponseReader
from tui_popretr.imap.responses import Condition, Continuation, OtherData, Response, Status
from tui_popretr.imap.sending import Sending
from tui_popretr.imap.states import ANSWERED, OTHER, SECRETS_OUT, SENDING, State, Trigger
from tui_popretr.secret import MIN_ECHO, STARS, starred
from tui_popretr.text import visible

_STARS = STARS.encode()
_TAGGED = re.compile(rb"(a[0-9]{1,9}) (.*)", re.DOTALL)
_CAPABILITY = re.compile(rb"CAPABILITY (.*)", re.IGNORECASE | re.DOTALL)


class Machine:
    """One connection's dialogue, from the greeting on; for implicit TLS, inside it.

    When the server breaks the protocol, the responses that were complete before are still returned, and the error is
    raised by whichever method is called next (at once when there are no such responses). From then on the machine is
    BROKEN and the error stays.
    """

    def __init__(self) -> None:
        #: What the server offers; None: not known, as after the login until the server has said it again.
        self.capabilities: Capabilities | None = None
        self._state = State.GREETING
        self._expected: dict[bytes, Command] = {}  # by their tags, in the order of sending
        self._sending: Sending | None = None  # a command that is not sent whole
        self._reader = ResponseReader()
        self._rest = b""  # received, not yet part of a response
        self._secrets: list[bytes] = []
        self._tags = 0
        self._failure: RemoteProtocolError | None = None

    # --- the state ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def outstanding(self) -> int:
        """How many commands have no answer."""
        return len(self._expected)

    @property
    def waiting(self) -> bool:
        """Whether a Continuation is due, and nothing can be sent before it."""
        return self._sending is not None and self._sending.waiting

    @property
    def unsent(self) -> Append | None:
        """The APPEND whose end was not sent."""
        command = None if self._sending is None else self._sending.command
        return command if isinstance(command, Append) else None

    @property
    def refused(self) -> bool:
        """Whether the server has refused that APPEND. It still takes the rest of a message that was announced."""
        return self._sending is not None and self._sending.refused

    @property
    def idle(self) -> bool:
        """Whether a command may be sent, and no answer is due nor has any octet come."""
        return not (self._expected or self._sending or self._rest or self._reader.buffered) and bool(
            SENDING[self._state]
        )

    @property
    def buffered(self) -> int:
        """How many octets are held: an incomplete response."""
        return len(self._rest) + self._reader.buffered

    def redacted(self, text: bytes) -> bytes:
        """Return text of the server with secrets starred out."""
        return starred(text, self._secrets, 1 if self._state in SECRETS_OUT else MIN_ECHO)

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, command: Command) -> bytes:
        """Register the command and return the bytes to send now.

        LocalProtocolError if it is not allowed now; the machine is unchanged then. RemoteProtocolError if the server
        has broken the protocol.
        """
        self.check()
        state = SENDING[self._state].get(type(command))
        continues = self._state is State.CHALLENGED
        alone = state is not self._state and not continues
        if state is None or self._sending is not None or (alone and self._expected):
            raise LocalProtocolError(f"{command.shown()} cannot be sent now ({self._state.value})")
        if continues:
            sending = Sending(command, b"", 0)
        else:
            tag = b"a%d" % (self._tags + 1)
            sending = Sending(command, tag, self.capabilities.literal_limit if self.capabilities else 0)
            self._tags += 1
            self._expected[tag] = command
        self._secrets += command.secrets()
        if isinstance(command, Login | Authenticate):
            self.capabilities = None
        self._state = state
        data = sending.next()
        self._sending = None if sending.done and not isinstance(command, Append) else sending
        return data

    def go_on(self) -> bytes:
        """Return the bytes to send after a Continuation; b"" if content() is next. Raises as send()."""
        self.check()
        sending = self._sending
        if sending is None or sending.waiting:
            raise LocalProtocolError("there is nothing to go on with")
        data = sending.next()
        if sending.done and not isinstance(sending.command, Append):
            self._sending = None
        return data

    def content(self, data: bytes) -> bytes:
        """Return the bytes to send for a piece of a message. Raises as send()."""
        return self._appending().content(data)

    def next_message(self) -> bytes:
        """Return what announces the next message of the APPEND, when the one before is whole. Raises as send()."""
        return self._appending().next_message()

    def end(self) -> bytes:
        """Return the bytes that end the APPEND, when its last message is whole, or one that the server has refused.

        Raises as send().
        """
        data = self._appending().end()
        self._sending = None
        return data

    def _appending(self) -> Sending:
        self.check()
        if self._sending is None or not isinstance(self._sending.command, Append):
            raise LocalProtocolError(f"no message can be sent now ({self._state.value})")
        return self._sending

    def tls_started(self) -> None:
        """Continue inside TLS, after the handshake that follows STARTTLS. LocalProtocolError at any other time."""
        self.check()
        state = OTHER.get(self._state, {}).get(Trigger.TLS_STARTED)
        if state is None:
            raise LocalProtocolError(f"TLS cannot start now ({self._state.value})")
        self.capabilities = None
        self._state = state

    # --- receiving ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise the RemoteProtocolError that ended the dialogue, if one did."""
        if self._failure is not None:
            raise self._failure

    def receive(self, data: bytes) -> list[Response]:
        """Return the responses that are complete with these bytes.

        RemoteProtocolError as described for the class. Octets after the end of the session are discarded.
        """
        self.check()
        buffer = self._rest + data if self._rest else bytes(data)
        responses: list[Response] = []
        try:
            self._rest = buffer[self._parse(buffer, responses) :]
        except RemoteProtocolError as error:
            self._break(error)
            if not responses:
                raise
        return responses

    def receive_eof(self) -> None:
        """Report that the server has closed the connection. UnexpectedEof unless the session is over."""
        self.check()
        if self._state is State.DISMISSED and not self._expected:
            self._state = State.CLOSED
        if self._state is not State.CLOSED:
            self._break(UnexpectedEof("closed the connection"))
            self.check()

    def _parse(self, buffer: bytes, responses: list[Response]) -> int:
        """Turn the buffer into responses; return how far it is used up."""
        at = 0
        while at < len(buffer):
            if self._state is State.CLOSED:
                return len(buffer)
            if self._state is State.TLS_HANDSHAKE:
                raise InjectedPlaintext("sent octets in clear after its answer to STARTTLS: the connection is not safe")
            after, parts = self._reader.take(buffer, at)
            if parts is not None:
                responses.append(self._response(parts))
            elif after == at:
                break
            at = after
        return at

    def _response(self, parts: list[bytes]) -> Response:
        first = parts[0]
        line = self.redacted(b"".join(part if n % 2 == 0 else b"{%d} " % len(part) for n, part in enumerate(parts)))
        if first.startswith(b"* "):
            return self._untagged([first[2:], *parts[1:]], line)
        if self._state is State.GREETING:
            raise RemoteProtocolError(f"did not greet as an IMAP server: {visible(line, 200)}")
        if first == b"+" or first.startswith(b"+ "):
            return self._continuation(first[2:], line)
        match = _TAGGED.fullmatch(first)
        status = parse_status(match[2]) if match else None
        if match is None or status is None or status.condition in (Condition.BYE, Condition.PREAUTH):
            raise RemoteProtocolError(f"gave an answer that is not an IMAP response: {visible(line, 200)}")
        command = self._expected.get(match[1])
        if command is None:
            raise RemoteProtocolError(f"answered what was not asked: {visible(line, 200)}")
        status = self._safe(status, command, line)
        self._finish(match[1], command, status)
        return status

    def _untagged(self, parts: list[bytes], line: bytes) -> Response:
        status = parse_status(parts[0])
        if status is None:
            if self._state is State.GREETING:
                raise RemoteProtocolError(f"did not greet as an IMAP server: {visible(line, 200)}")
            if match := _CAPABILITY.fullmatch(parts[0]):
                self.capabilities = Capabilities.parse(match[1])
                return OtherData(line)
            data = parse_data(parts)
            if data is None:
                raise RemoteProtocolError(f"gave an answer that is not an IMAP response: {visible(line, 200)}")
            return replace(data, line=line)
        status = self._safe(status, None, line)
        if status.condition is Condition.BYE:
            if self._state is not State.LEAVING:
                self._state = State.DISMISSED
        elif self._state is State.GREETING:
            self._greet(status)
        elif status.condition is Condition.PREAUTH:
            raise RemoteProtocolError("greeted twice")
        elif status.has_code("CAPABILITY"):
            self._learn(status)
        return status

    def _greet(self, status: Status) -> None:
        trigger = {Condition.OK: Trigger.ACCEPTED, Condition.PREAUTH: Trigger.LOGGED_IN}.get(status.condition)
        if trigger is None:
            raise RemoteProtocolError(f"did not greet as an IMAP server: {status}")
        self._state = OTHER[State.GREETING][trigger]
        self._learn(status)

    def _continuation(self, payload: bytes, line: bytes) -> Continuation:
        if self._sending is not None and self._sending.waiting:
            self._sending.waiting = False
            return Continuation(payload, line)
        if self._state is State.CANCELLING:
            raise RemoteProtocolError("continues a login that was cancelled")
        authenticating = any(isinstance(each, Authenticate) for each in self._expected.values())
        if self._state is not State.LOGGING_IN or not authenticating:
            raise RemoteProtocolError(f"continues what was not begun: {visible(line, 200)}")
        self._state = OTHER[State.LOGGING_IN][Trigger.CHALLENGE]
        # Passwords can be guessed from the server's part of SCRAM, too.
        return Continuation(payload, b"+ " + _STARS if payload else line)

    def _finish(self, tag: bytes, command: Command, status: Status) -> None:
        """Take the tagged answer to a command."""
        sending = self._sending
        if sending is not None and sending.command is command:
            if status.ok:
                raise EarlyCompletion(f"accepted {_verb(command)} before it had all of it: {status}")
            # The server takes a literal of which it has not refused the beginning, and nothing else.
            if sending.waiting or not sending.done or not isinstance(command, Append):
                self._sending = None
            else:
                sending.refused = True
        if self._state is State.CHALLENGED:
            raise RemoteProtocolError(f"ended a login before it had the response: {status}")
        if self._state is State.CANCELLING and status.ok:
            raise RemoteProtocolError("accepted a login that was cancelled")
        del self._expected[tag]
        state = ANSWERED[self._state].get((type(command), status.ok))
        if state is not None:
            self._state = state
        if status.ok:
            self._learn(status)

    def _learn(self, status: Status) -> None:
        """Take the capabilities in a response code."""
        if status.code is not None and status.code.name == "CAPABILITY":
            self.capabilities = Capabilities.parse(status.code.arguments)

    def _safe(self, status: Status, command: Command | None, line: bytes) -> Status:
        """Return the status without secrets that the server echoes."""
        code = status.code
        if code is not None and any(
            len(each) >= MIN_ECHO and each.upper() in code.name.encode() for each in self._secrets
        ):
            code = None
        return Status(status.condition, self.redacted(status.text), code, command, line)

    def _break(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._rest, self._reader, self._sending = b"", ResponseReader(), None
        self._state = State.BROKEN


def _verb(command: Command) -> str:
    return command.shown().partition(" ")[0]
