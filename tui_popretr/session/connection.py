"""One POP3 connection: the protocol machine, its stream, the deadlines and the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf

import trio

from tui_popretr import faultpoints
from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.config.account import Server
from tui_popretr.errors import (
    ConnectionCut,
    PlaintextInjected,
    ProtocolViolation,
    ServerStalled,
    TlsFailed,
)
from tui_popretr.facts import DISCONNECTED, Dialogue, Direction, Part, Said, SessionId, TlsDetails
from tui_popretr.faultpoints import Step
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsContexts, TlsSession
from tui_popretr.pop3 import (
    QUIET,
    BodyChunk,
    BodyEnd,
    Command,
    Continuation,
    Dele,
    Event,
    Greeting,
    InjectedPlaintext,
    Listing,
    Machine,
    Quit,
    RemoteProtocolError,
    Reply,
    UnexpectedEof,
)
from tui_popretr.text import visible

#: Octets of a body or listing that count as progress. Fewer within the timeout are a stall.
PROGRESS = 4096
#: Rows of a listing in the transcript; with fulltrans there is no limit.
LISTED = 100


class Pop3Connection:
    """Speaks POP3 over a stream. No wait for the server takes longer than `timeout` seconds.

    The deadline is renewed when a command is sent to an idle server, with each complete reply, and with each PROGRESS
    octets of a body; single octets do not renew it. Raises ServerStalled, ConnectionCut and ProtocolViolation.
    """

    def __init__(
        self, stream: Stream, session: SessionId, bus: Bus, clock: Clock, *, timeout: float, bodies: bool = False
    ) -> None:
        self.stream = stream
        self.machine = Machine()
        self.timeout = timeout
        self.tls: TlsDetails | None = None
        self._session = session
        self._bus = bus
        self._clock = clock
        self._bodies = bodies
        self._partial_line = b""  # the beginning of a line of a message, without its end
        self._waiting = trio.CancelScope()
        self._sent = 0  # commands
        self._in_flight: deque[tuple[int, float]] = deque()  # the number of each command, and when it was sent
        self._opened = trio.current_time()
        #: The number of commands in the last write.
        self.sent_together = 0
        self._remaining: float | None = None  # seconds to the deadline, while no task waits
        self._renew()

    # --- the dialogue -------------------------------------------------------------------------------------------------

    async def greeting(self) -> Greeting:
        """Wait for the greeting."""
        event = (await self.events())[0]
        if not isinstance(event, Greeting):  # the machine returns nothing else first
            raise ProtocolViolation("the server did not greet")
        return event

    async def call(self, command: Command) -> Reply | Listing | Continuation:
        """Send one command and return its reply, or the continuation of an AUTH."""
        return (await self.call_all([command]))[0]

    async def call_all(
        self, commands: Sequence[Command], ends: list[Reply | Listing | Continuation] | None = None
    ) -> list[Reply | Listing | Continuation]:
        """Send commands together and return their replies, in order.

        Replies are added to `ends` as they arrive, so that those before an error are not lost.
        """
        await self.send(commands)
        ends = [] if ends is None else ends
        while len(ends) < len(commands):
            ends.extend(
                event
                for event in await self.events()
                if isinstance(event, (Listing, Continuation)) or (isinstance(event, Reply) and not event.more)
            )
        return ends

    async def send(self, commands: Sequence[Command]) -> None:
        """Send commands in one write."""
        if self.machine.outstanding == 0:
            self._renew()
        with _MAP_ERRORS:
            data = self.machine.send_many(commands)
        self.sent_together = len(commands)
        numbers = self._count(len(commands))
        if self._bus.wants_dialogue:
            said = [(Direction.OUT, command.shown()) for command in commands]
            self._publish(said, [Part(number) for number in numbers])
        await trio.lowlevel.checkpoint_if_cancelled()
        sent = self.stream.send_nowait(data)
        if sent < len(data):  # hardly ever, so that most commands need no deadline for sending
            with trio.move_on_after(self.timeout) as scope:
                await self.stream.send_all(data[sent:])
            if scope.cancelled_caught:
                raise ServerStalled(f"the server has taken no data for {self.timeout:g} s")
        kinds = set(map(type, commands))
        for kind, step in ((Dele, Step.DELE_SENT), (Quit, Step.QUIT_SENT)):
            if kind in kinds:
                faultpoints.reached(step)

    async def events(self) -> list[Event]:
        """Wait for the server and return the next events, at least one."""
        with _MAP_ERRORS:
            self.machine.check()
        if self._remaining is not None:  # time that we took ourselves, such as for a slow disk, does not count
            self._deadline, self._remaining = trio.current_time() + self._remaining, None
        while True:
            # An attribute, because a command that is sent meanwhile renews the deadline.
            with trio.CancelScope(deadline=self._deadline) as self._waiting:
                data = await (self._receive_soon() if self.machine.may_end else self.stream.receive())
            if self._waiting.cancelled_caught:
                raise ServerStalled(f"the server has made no progress for {self.timeout:g} s")
            events = self._feed(data)
            if events:
                self._remaining = self._deadline - trio.current_time()
                return events

    def idle(self) -> None:
        """Wait without a deadline until the next command is sent."""
        self._deadline, self._remaining = inf, None

    # --- TLS ----------------------------------------------------------------------------------------------------------

    async def start_tls(self, server: Server, contexts: TlsContexts | None = None) -> None:
        """Do the handshake. Raises TlsFailed if it takes longer than the policy allows."""
        assert server.tls is not None
        with _MAP_ERRORS:
            self.machine.check()  # no plaintext may follow STLS's +OK
        patience = server.tls.patience(self.timeout)
        with trio.move_on_after(patience) as scope:
            self.tls = await self.stream.start_tls(TlsSession(server.tls, server.host, server.written, contexts))
            self._opened = trio.current_time()
        if scope.cancelled_caught:
            raise TlsFailed(
                f"the TLS handshake took longer than {patience:g} s",
                advice='if the server is only slow, allow more time: <ssl timeout="5m"/>',
            )
        if server.tls.latent:
            self.machine.tls_started()
        self._renew()

    def close(self) -> None:
        """Close the connection at once."""
        self.stream.close()
        self.event(DISCONNECTED)

    def event(self, text: str) -> None:
        """Add a remark to the transcript."""
        if self._bus.wants_dialogue:
            self._publish([(Direction.EVENT, text)], ())

    # --- internals ----------------------------------------------------------------------------------------------------

    async def _receive_soon(self) -> bytes | None:
        """Receive what arrives within QUIET seconds; None if nothing does, so that a message may be complete."""
        with trio.move_on_after(QUIET):
            return await self.stream.receive()
        return None

    def _feed(self, data: bytes | None) -> list[Event]:
        with _MAP_ERRORS:
            if data is None:
                events, data = self.machine.quiet(), b""
            elif data:
                events = self.machine.receive(data)
            else:
                self.machine.receive_eof()
                raise ConnectionCut("the server closed the connection")
        self._progress += len(data)
        # The machine limits the length of lines, so this many octets without an event are of a body or listing.
        if self._progress >= PROGRESS or any(not isinstance(event, BodyChunk) for event in events):
            self._renew()
        if self._bus.wants_dialogue:
            self._transcribe(events)
        while len(self._in_flight) > self.machine.outstanding:
            self._in_flight.popleft()
        return events

    def _renew(self) -> None:
        self._deadline = self._waiting.deadline = trio.current_time() + self.timeout
        self._remaining = None
        self._progress = 0

    def _count(self, commands: int) -> Sequence[int]:
        """Return the numbers of commands that the machine has just registered."""
        if self.machine.outstanding == len(self._in_flight):  # an answer to a challenge belongs to its AUTH
            return [self._in_flight[-1][0]] if commands else ()
        now, first = trio.current_time(), self._sent + 1
        self._sent += commands
        numbers = range(first, first + commands)
        self._in_flight.extend([(number, now) for number in numbers])
        return numbers

    def _transcribe(self, events: list[Event]) -> None:
        said: list[Said] = []
        parts: list[Part] = []
        now = trio.current_time()
        for event in events:
            # The machine returns events in the order of the commands; the greeting comes before the first.
            number, sent = self._in_flight[0] if self._in_flight else (0, self._opened)
            part = Part(number)
            if isinstance(event, BodyChunk):
                if self._bodies:
                    said += self._body(event.data)
            elif isinstance(event, BodyEnd):
                said.append((Direction.EVENT, f"Received MessageBody octets={event.octets}"))
                part = Part(number, None, event.octets)
            elif isinstance(event, Listing):
                said += self._rows(event.data.splitlines())
                parts += [part] * (len(said) - len(parts) - 1)
                part = Part(number, None, len(event.data))
            else:
                said.append((Direction.IN, visible(event.line)))
                if not isinstance(event, Continuation):
                    part = Part(number, round((now - sent) * 1000, 3))
            parts += [part] * (len(said) - len(parts))
            if event.final:
                self._in_flight.popleft()
        if said:
            self._publish(said, parts)

    def _body(self, data: bytes) -> list[Said]:
        *lines, rest = (self._partial_line + data).split(b"\n")
        self._partial_line = rest[:PROGRESS]  # a longer line is not shown at all
        return [(Direction.IN, visible(self.machine.redacted(line.removesuffix(b"\r")))) for line in lines]

    def _rows(self, rows: list[bytes]) -> list[Said]:
        shown = rows if self._bodies else rows[:LISTED]
        said = [(Direction.IN, visible(self.machine.redacted(row))) for row in shown]
        if len(rows) > len(shown):
            said.append((Direction.EVENT, f"{len(rows) - len(shown)} more rows"))
        return [*said, (Direction.IN, ".")]

    def _publish(self, said: list[Said], parts: Sequence[Part]) -> None:
        self._bus.publish_dialogue(Dialogue(self._session, self._clock.now(), said, parts))


class _ProtocolErrorMapping:
    """Maps the machine's errors to PopretrError, in one place."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, InjectedPlaintext):
            raise PlaintextInjected(str(problem)) from problem
        if isinstance(problem, UnexpectedEof):
            raise ConnectionCut(str(problem)) from problem
        if isinstance(problem, RemoteProtocolError):
            raise ProtocolViolation(str(problem)) from problem


# Entered for each reply; a generator of contextlib would cost more than what it encloses.
_MAP_ERRORS = _ProtocolErrorMapping()
