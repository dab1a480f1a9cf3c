"""The client's side of a POP3 dialogue as a pure state machine. states.py has the states and their theory.

    machine = Machine()
    machine.receive(b"+OK ready\\r\\n")  -> [Greeting(...)]
    machine.send(User("me"))            -> b"USER me\\r\\n"

Several commands may be in flight; replies are matched to them in order (RFC 2449 §6.8). The number of messages that
STAT returned limits the rows of the listings after it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from tui_popretr.pop3.capabilities import Capabilities
from tui_popretr.pop3.collector import Collector
from tui_popretr.pop3.commands import Auth, Capa, Command, Stat
from tui_popretr.pop3.errors import (
    InjectedPlaintext,
    LocalProtocolError,
    RemoteProtocolError,
    UnexpectedEof,
    UnsolicitedReply,
)
from tui_popretr.pop3.events import BodyChunk, BodyEnd, Continuation, Event, Greeting, Listing, Reply
from tui_popretr.pop3.listing import parse_stat
from tui_popretr.pop3.message import MessageReader, begins_with_crlf
from tui_popretr.pop3.multiline import take
from tui_popretr.pop3.states import ANSWERED, OTHER, OVER, SECRETS_OUT, SENDING, SERVER_SILENT, State, Trigger
from tui_popretr.pop3.status import (
    KNOWN_CODES,
    is_continuation,
    is_err,
    is_ok,
    may_be_status,
    response_code,
    split,
    time_stamp,
)
from tui_popretr.sasl import MAX_LINE
from tui_popretr.secret import MIN_ECHO, STARS
from tui_popretr.text import visible

#: Octets of a status line, line end included: twice what RFC 1939 §3 allows.
MAX_STATUS_LINE = 1024
#: Octets of the shortest secret that makes a unique-id unusable: shorter ones occur in unique-ids by chance.
MIN_KEPT_OUT = 8
#: Rows of a listing at most, and without a STAT. More rows with a number and a size or unique-id do not fit into the
#: octets of a listing, and reading millions of other rows would take long.
UNCOUNTED_ROWS = 1_000_000
#: Rows that a listing may have beyond the number of messages.
SPARE_ROWS = 16
#: Empty lines that are skipped before a status line: some servers send an extra one.
MAX_BLANKS = 8
#: Seconds of silence that end a message whose lines all end with LF alone; see may_end.
QUIET = 2.0

_CR = ord("\r")
_STARS = STARS.encode()
# The part of a +OK that parse_stat reads, whatever the password is.
_FIGURES = re.compile(rb"[ \t]*[0-9]+[ \t]+[0-9]+(?![^ \t])")


class Machine:
    """One connection's dialogue, from the greeting on; for implicit TLS, inside it.

    When the server breaks the protocol, the events that were complete before are still returned, and the error is
    raised by whichever of check(), receive(), receive_eof(), send() and tls_started() is called next (at once when
    there are no such events). So call check() when the events of a receive() are dealt with, before waiting for more
    bytes and before the handshake that follows STLS's +OK. From then on the machine is BROKEN and the error stays.
    """

    def __init__(self) -> None:
        self._expected: deque[Command] = deque()
        self._rest = b""  # received, not yet part of an event
        self._body: Command | None = None  # whose multi-line data are being read
        self._octets = 0
        self._collector: Collector | None = None  # of a listing that is being read
        self._message_begins = False
        self._reader: MessageReader | None = None  # of a message whose first line did not end with CRLF
        self._blanks = 0
        self._secrets: list[bytes] = []
        self._failure: RemoteProtocolError | None = None
        self._stray = False
        self._bare_lines = False
        self._capabilities: Capabilities | None = None
        self._max_rows = UNCOUNTED_ROWS
        self._enter(State.GREETING)

    # --- the state -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state. It is ahead of the replies: QUITTING as soon as QUIT was sent."""
        return self._state

    @property
    def outstanding(self) -> int:
        """How many commands wait for their final event."""
        return len(self._expected)

    @property
    def idle(self) -> bool:
        """Whether a command may be sent and no reply is outstanding."""
        return not self._expected and bool(self._sendable)

    @property
    def may_end(self) -> bool:
        """Whether a message whose lines all end with LF alone is complete if the server sends no more; see quiet()."""
        return self._reader is not None and self._reader.may_end

    @property
    def bare_lines(self) -> bool:
        """Whether a status line ended in LF alone. Then only silence may show the end of a message."""
        return self._bare_lines

    @property
    def passed_an_end(self) -> bool:
        """Whether the message being received has had a line of a dot that ends a message where silence follows it."""
        reader = self._reader
        return self._body is not None and reader is not None and (reader.may_end or reader.passed_an_end)

    @property
    def answering(self) -> bool:
        """Whether the server is in the middle of multi-line data, or was when the dialogue broke."""
        return self._body is not None

    @property
    def stray_octets(self) -> bool:
        """Whether the dialogue broke at octets, outside of multi-line data, that are neither +OK nor -ERR.

        After a message they may be the rest of it, from a server that does not stuff dots.
        """
        return self._stray

    @property
    def buffered(self) -> int:
        """How many octets are held: an incomplete line, a listing being collected."""
        return len(self._rest) + (len(self._collector) if self._collector is not None else 0)

    @property
    def capabilities(self) -> Capabilities | None:
        """The answer to the last CAPA; None before one came, after -ERR to it, and after STLS (RFC 2595 §4)."""
        return self._capabilities

    def redacted(self, text: bytes) -> bytes:
        """Return a complete line of the server with secrets starred out, as in events."""
        for secret in self._sought:
            text = text.replace(secret, _STARS)
        return text

    def contains_secret(self, text: bytes) -> bool:
        """Whether a text of the server that would be stored unchanged, a unique-id, contains a secret."""
        return any(len(each) >= MIN_KEPT_OUT and each in text for each in self._sought)

    # --- sending ----------------------------------------------------------------------------------------------------

    def send(self, command: Command) -> bytes:
        """Register the command and return the bytes to send.

        LocalProtocolError if it is not allowed now; the machine is unchanged then. RemoteProtocolError if the server
        has broken the protocol.
        """
        self.check()
        if self._rest not in (b"", b"\r") and (self.idle or self._state is State.CHALLENGED):
            # Completed later, an unexpected line would be taken for the reply to this command.
            self._break(self._misplaced(self._rest, whole=False))
            self.check()
        return self._register(command)

    def send_many(self, commands: Iterable[Command]) -> bytes:
        """Register several commands to be sent at once; all of them, or, with an error as in send(), none."""
        state, expected, secrets = self._state, len(self._expected), len(self._secrets)
        try:
            return b"".join([self.send(command) for command in commands])
        except LocalProtocolError:
            while len(self._expected) > expected:
                self._expected.pop()
            del self._secrets[secrets:]
            self._enter(state)
            raise

    def _register(self, command: Command) -> bytes:
        state = self._sendable.get(type(command))
        if state is None:
            raise LocalProtocolError(f"{command.shown()} cannot be sent now ({self._state.value})")
        wire = command.wire()
        if self._state is not State.CHALLENGED:
            self._expected.append(command)
        if state is not self._state:
            self._secrets += command.secrets()
            self._enter(state)
        return wire

    def tls_started(self) -> None:
        """Continue inside TLS, after the handshake that follows STLS. LocalProtocolError at any other time."""
        self.check()
        state = OTHER.get(self._state, {}).get(Trigger.TLS_STARTED)
        if state is None:
            raise LocalProtocolError(f"TLS cannot start now ({self._state.value})")
        self._capabilities = None
        self._enter(state)

    # --- receiving --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise the RemoteProtocolError that ended the dialogue, if one did."""
        if self._failure is not None:
            raise self._failure

    def receive(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Return the events that are complete with these bytes (bytes are not copied, other buffers are).

        RemoteProtocolError as described for the class. Octets after the end of the session are discarded.
        """
        self.check()
        buffer = self._rest + data if self._rest else bytes(data)
        events: list[Event] = []
        try:
            self._rest = buffer[self._parse(buffer, events) :]
        except RemoteProtocolError as error:
            self._break(error)
            if not events:
                raise
        return events

    def quiet(self) -> list[Event]:
        """Report that the server has been silent for QUIET seconds; return the events that this completes.

        They end a message if `may_end` is set and no other reply is due; otherwise silence has no meaning. Octets that
        came without a pause may belong to several messages.
        """
        self.check()
        if self._reader is None or self._body is None or not self._reader.may_end or len(self._expected) > 1:
            return []
        command, data = self._body, self._reader.end(self._rest)
        self._rest, self._reader = b"", None
        self._octets += len(data)
        return [*([BodyChunk(command, data, b"\r" not in data)] if data else []), self._finish(command)]

    def receive_eof(self) -> None:
        """Report that the server has closed the connection. UnexpectedEof unless the session is over."""
        self.check()
        if self._state not in OVER:
            self._stray = self._body is None and not may_be_status(self._rest.removesuffix(b"\r"))
            self._break(UnexpectedEof(self._describe_eof()))
            self.check()
        self._enter(State.CLOSED)

    def _parse(self, buffer: bytes, events: list[Event]) -> int:
        """Turn the buffer into events; return how far it is used up."""
        at, size = 0, len(buffer)
        while at < size:
            if self._body is not None:
                at, ended = self._read_data(self._body, buffer, at, events)
                if not ended:
                    break
                continue
            if self._silent:
                if self._state in OVER:
                    return size
                if self._state is State.TLS_HANDSHAKE:
                    raise InjectedPlaintext("the server sent bytes in clear behind its answer to STLS")
            end = buffer.find(b"\n", at, at + self._max_line)
            if end < 0:
                if buffer[at] not in b"+-" and buffer[at:] != b"\r":
                    # an unfinished line may end in half a secret, which redaction would not recognise
                    raise self._misplaced(buffer[at : at + 1] if self._sought else buffer[at:])
                if size - at >= self._max_line:
                    self._stray = not may_be_status(buffer[at:])
                    raise RemoteProtocolError(f"the server sent an endless line: {self._quote(buffer[at:], 40)}")
                break
            self._bare_lines |= end > at and buffer[end - 1] != _CR
            self._read_line(buffer[at:end].removesuffix(b"\r"), events)
            at = end + 1
        return at

    def _read_line(self, line: bytes, events: list[Event]) -> None:
        """Turn a line outside of multi-line data into its event."""
        if not line and self._blanks < MAX_BLANKS:
            self._blanks += 1
            return
        if self._silent or not (self._expected or self._state is State.GREETING):
            raise self._misplaced(line)
        if self._state is State.GREETING:
            events.append(self._greeting(line))
            return
        command = self._expected[0]
        if type(command) is Auth and is_continuation(line):
            events.append(self._continuation(command, line))
        else:
            events.append(self._reply(command, line))

    def _greeting(self, line: bytes) -> Greeting:
        ok = self._status(line)
        self._enter(OTHER[State.GREETING][Trigger.ACCEPTED if ok else Trigger.REFUSED])
        return Greeting(ok, split(line, ok)[1], line, time_stamp(line) if ok else None)

    def _continuation(self, command: Command, line: bytes) -> Continuation:
        state = OTHER.get(self._state, {}).get(Trigger.CHALLENGE)
        if state is None:
            raise RemoteProtocolError("the server continues a login that was cancelled")
        self._blanks = 0
        self._enter(state)
        payload = line[1:].removeprefix(b" ")
        # Passwords can be guessed from the server's part of SCRAM, too.
        return Continuation(command, b"+ " + _STARS if payload else line, payload)

    def _reply(self, command: Command, line: bytes) -> Reply:
        ok = self._status(line)
        status, text = split(line, ok)
        code = response_code(text)
        rest = line[len(status) :]
        if (redacted := self.redacted(rest)) != rest:
            line = status + redacted
            figures = _FIGURES.match(rest) if ok and not self._hiding else None
            kept = figures.end() if figures else 0
            text = (rest[:kept] + self.redacted(rest[kept:])).lstrip(b" ")
            code = code if code in KNOWN_CODES else None
        if ok and command.multiline:
            self._body = command
            if command.streamed:
                self._octets = 0
                self._message_begins = True
            else:
                self._collector = Collector(command, self._max_rows, self._quote)
            return Reply(command, ok, line, text, code, more=True)
        if self._state is State.CANCELLING and ok:
            raise RemoteProtocolError("the server accepted a login that was cancelled")
        self._expected.popleft()
        if not ok and type(command) is Capa:
            self._capabilities = None
        elif ok and type(command) is Stat:
            # LIST and UIDL may have been sent already; their answers follow this one.
            with suppress(RemoteProtocolError):
                self._max_rows = min(parse_stat(text)[0], UNCOUNTED_ROWS) + SPARE_ROWS
        if self._moves and (state := self._moves.get((type(command), ok))) is not None:
            self._enter(state)
        return Reply(command, ok, line, text, code, more=False)

    def _status(self, line: bytes) -> bool:
        ok = is_ok(line)
        if not ok and not is_err(line):
            raise self._misplaced(line)
        self._blanks = 0
        return ok

    def _read_data(self, command: Command, buffer: bytes, at: int, events: list[Event]) -> tuple[int, bool]:
        """Read multi-line data; return how far the buffer is used up and whether the data are complete."""
        if self._collector is not None:
            after, ended = self._collector.take(buffer, at)
        else:
            if self._message_begins:
                self._message_begins = False
                self._reader = None if begins_with_crlf(buffer, at) else MessageReader()
            piece = take(buffer, at) if self._reader is None else self._reader.take(buffer, at)
            if piece.data:
                self._octets += len(piece.data)
                events.append(BodyChunk(command, piece.data, piece.canonical))
            after, ended = piece.after, piece.ended
        if ended:
            events.append(self._finish(command))
        return after, ended

    def _finish(self, command: Command) -> BodyEnd | Listing:
        self._body = None
        self._expected.popleft()
        if self._collector is None:
            return BodyEnd(command, self._octets)
        data, self._collector = self._collector.finish(), None
        if type(command) is Capa:
            self._capabilities = Capabilities.parse(data, self.redacted)
        return Listing(command, data)

    # --- states and errors ------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        self._state = state
        # Looked up once, because each line needs them.
        self._sendable = SENDING[state]
        self._moves = ANSWERED[state]
        self._silent = state in SERVER_SILENT
        self._hiding = state in SECRETS_OUT
        self._max_line = MAX_LINE if self._hiding else MAX_STATUS_LINE
        least = 1 if self._hiding else MIN_ECHO
        self._sought = sorted((each for each in self._secrets if len(each) >= least), key=len, reverse=True)

    def _break(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._rest = b""
        self._collector = self._reader = None
        self._enter(State.BROKEN)

    def _quote(self, line: bytes, limit: int = 200) -> str:
        """Return a line, or the beginning of one, in a form that is safe in an error."""
        text = self.redacted(line.rstrip(b"\r\n"))
        for secret in self._sought:  # an incomplete line may end in a part of a secret
            sizes = range(min(len(secret) - 1, len(text)), MIN_ECHO - 1, -1)
            if size := next((size for size in sizes if text.endswith(secret[:size])), 0):
                text = text[:-size] + _STARS
        return visible(text, limit)

    def _misplaced(self, line: bytes, *, whole: bool = True) -> RemoteProtocolError:
        """Return the error for a line that is not a reply, or not an expected one; `whole`: the line is complete."""
        self._stray = not (is_ok(line) or is_err(line) or (not whole and may_be_status(line)))
        quote = self._quote(line) or f"more than {MAX_BLANKS} empty lines"
        if (self._expected and not self._silent) or self._state is State.GREETING:
            return RemoteProtocolError(f"the server's answer is neither +OK nor -ERR: {quote}")
        if is_err(line):
            return UnsolicitedReply(f"the server broke off: {quote}")
        return UnsolicitedReply(f"the server sent an unexpected line: {quote}")

    def _describe_eof(self) -> str:
        if self._state is State.GREETING:
            return "the server closed the connection before its greeting"
        if self._body is not None:
            return f"the server closed the connection in the middle of its answer to {self._body.shown()}"
        if self._expected and not self._silent:
            return f"the server closed the connection before its answer to {self._expected[0].shown()}"
        if self._rest:
            return f"the server closed the connection: {self._quote(self._rest)}"
        return "the server closed the connection without being asked"
