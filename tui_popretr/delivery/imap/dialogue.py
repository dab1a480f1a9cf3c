"""One IMAP dialogue: the protocol machine, its stream, the deadlines and the transcript."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

import trio

from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.delivery.remote import Say
from tui_popretr.errors import (
    ConnectionCut,
    DeliveryFailed,
    ImapProtocolError,
    ImapServerNotTrusted,
    ImapTemporaryFailure,
)
from tui_popretr.facts import Direction
from tui_popretr.imap import (
    MAX_RESPONSE,
    Command,
    Condition,
    Continuation,
    InjectedPlaintext,
    LocalProtocolError,
    Machine,
    RemoteProtocolError,
    Response,
    State,
    Status,
    UnexpectedEof,
)
from tui_popretr.net.stream import Stream, send_within
from tui_popretr.text import visible

T = TypeVar("T")

#: Seconds to wait for the answer to LOGOUT, and for a last answer before the server closes the connection.
QUIT_TIMEOUT: Final = 1.0
#: The errors of the stream and of the machine.
_BROKEN: Final = (ConnectionCut, RemoteProtocolError, LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Answer:
    """The tagged answer to a command, and the untagged responses before it."""

    status: Status
    data: tuple[Response, ...] = ()

    @property
    def ok(self) -> bool:
        return self.status.ok


class Dialogue:
    """Sends commands over a stream and receives responses.

    Each wait has a deadline, which neither single octets nor untagged responses extend. The octets of an answer are
    limited, too. Errors are DeliveryFailed with the server's name.
    """

    def __init__(self, stream: Stream, name: str, said: Say, *, timeout: float) -> None:
        self.stream = stream
        self.name = name
        self.machine = Machine()
        #: Seconds for an answer, and for the last one before the end.
        self.timeout = timeout
        self.quit_timeout = min(QUIT_TIMEOUT, timeout)
        #: The server closed the connection, or it broke.
        self.lost = False
        #: It must not be used any more.
        self.spoiled = False
        self._greeted = False
        self._farewell: Status | None = None  # the BYE of the server
        self._said = said
        self._responses: deque[Response] = deque()  # received, and not used yet
        self._octets = 0  # received since the last tagged answer

    @property
    def usable(self) -> bool:
        """Whether a command can be sent, and nothing is unanswered."""
        return self.machine.idle and not (self.gone or self.spoiled)

    @property
    def gone(self) -> bool:
        """Whether the connection is lost, or the server has announced that it closes it."""
        return self.lost or self._farewell is not None

    # --- commands and answers -----------------------------------------------------------------------------------------

    async def greeting(self) -> Status:
        """Wait for the greeting. Raises the error of a BYE."""
        greeting = await self.next(self.deadline())
        assert isinstance(greeting, Status)  # the machine returns nothing else first
        self._greeted = True
        return greeting

    async def ask(self, command: Command, timeout: float | None = None) -> Answer:
        """Send a command and return the answer; by default within `timeout` seconds."""
        deadline = self.deadline(timeout)
        try:
            return await self._ask(command, deadline)
        except DeliveryFailed as broken:
            if not self.lost or self._farewell is not None:
                raise
            await self.last_responses()
            raise self.farewell_or(broken) from None

    async def _ask(self, command: Command, deadline: float) -> Answer:
        await self.begin(command)
        data: list[Response] = []
        while True:
            response = await self.next(deadline)
            if isinstance(response, Status) and response.command is command:
                return Answer(response, tuple(data))
            if isinstance(response, Continuation):
                await self.go_on()
            else:
                data.append(response)

    def deadline(self, timeout: float | None = None) -> float:
        """Return the deadline of an answer that is waited for from now on."""
        return trio.current_time() + (self.timeout if timeout is None else timeout)

    async def begin(self, command: Command) -> None:
        """Send a command up to the first continuation that it needs."""
        await self.send(self.announce(command))

    def announce(self, command: Command) -> bytes:
        """Register a command; return the bytes to send now. Raises the error of a BYE that has arrived."""
        while self.machine.state is State.DISMISSED and self._responses:
            self._pop()
        if self._farewell is not None:
            raise self._ended(self._farewell)
        data = self.of_machine(lambda: self.machine.send(command))
        self.say(Direction.OUT, [command.shown()])
        return data

    async def go_on(self) -> None:
        """Send the rest of a command after a continuation."""
        if self.machine.unsent is None:
            await self.send(self.of_machine(self.machine.go_on))

    async def next(self, deadline: float) -> Response:
        """Wait for a response. Raises the error of a BYE."""
        if not self._responses:
            with trio.CancelScope(deadline=deadline):
                await self._receive()
            if not self._responses:
                self.spoiled = True
                raise ImapTemporaryFailure(f"{self.name} did not answer in time")
        return self._pop()

    def next_nowait(self) -> Response | None:
        """Return a response that has arrived, None if there is none. Raises as next()."""
        if not self._responses:
            try:
                while (data := self.stream.receive_nowait()) is not None:
                    self._take(data)
            except _BROKEN as problem:
                if not self._responses:
                    raise self.failure(problem) from problem
        return self._pop() if self._responses else None

    async def last_responses(self) -> list[Response]:
        """Return what the server sent before the connection ended. It may have sent the reason last."""
        found: list[Response] = []
        with trio.move_on_after(self.quit_timeout), contextlib.suppress(DeliveryFailed):
            while True:
                found.append(await self.next(inf))
        return found

    async def send(self, data: bytes) -> None:
        """Send octets. The server has `timeout` seconds to take them."""
        try:
            taken = await send_within(self.stream, data, self.timeout)
        except _BROKEN as problem:
            raise self.failure(problem) from problem
        if not taken:
            self.spoiled = True
            raise ImapTemporaryFailure(f"{self.name} has taken no data for {self.timeout:g} s")

    def check(self) -> None:
        """Raise the error of octets that have arrived after the last response."""
        self.of_machine(self.machine.check)

    def say(self, direction: Direction, texts: Iterable[str]) -> None:
        """Add lines to the transcript. The protocol's name distinguishes them from lines of the POP3 server."""
        self._said(direction, (f"IMAP {text}" for text in texts))

    def close(self) -> None:
        """Close the connection at once; never raises."""
        self.stream.close()
        self.say(Direction.EVENT, ["Disconnect"])

    # --- errors -------------------------------------------------------------------------------------------------------

    def of_machine(self, call: Callable[[], T]) -> T:
        """Return what the machine returns. Raises DeliveryFailed."""
        try:
            return call()
        except _BROKEN as problem:
            raise self.failure(problem) from problem

    def failure(self, problem: Exception) -> DeliveryFailed:
        """Return the error for an error of the stream or of the machine."""
        name = self.name
        self.spoiled = True
        match problem:
            case ConnectionCut():
                self.lost = True
                return ImapTemporaryFailure(str(problem).replace("connection broke", f"connection to {name} broke", 1))
            case UnexpectedEof():
                self.lost = True
                return ImapTemporaryFailure(f"{name} closed the connection")
            case InjectedPlaintext():
                return ImapServerNotTrusted(f"{name} {problem}")
            case RemoteProtocolError():
                return ImapProtocolError(f"{name} {problem}")
        return DeliveryFailed(f"cannot send to {name}: {problem}")

    def farewell_or(self, broken: DeliveryFailed) -> DeliveryFailed:
        """Return the error of the BYE with which the server has ended the session, else `broken`."""
        return broken if self._farewell is None else self._ended(self._farewell)

    def _ended(self, farewell: Status) -> DeliveryFailed:
        if not self._greeted:
            return refusal(f"{self.name} accepts no session: {farewell}", farewell, Subject.GREETING)
        return refusal(f"{self.name} ended the session: {farewell}", farewell, Subject.SESSION)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        """Wait until there is a response."""
        try:
            while not self._responses:
                self.machine.check()
                self._take(await self.stream.receive())
        except _BROKEN as problem:
            raise self.failure(problem) from problem

    def _take(self, data: bytes) -> None:
        if not data:
            self.machine.receive_eof()
            raise UnexpectedEof("closed the connection")
        responses = self.machine.receive(data)
        if responses:
            self._responses += responses
            self.say(Direction.IN, (visible(response.line) for response in responses))
        tagged = any(isinstance(each, Status) and each.command is not None for each in responses)
        self._octets = 0 if tagged else self._octets + len(data)
        if self._octets > MAX_RESPONSE:
            raise RemoteProtocolError(f"sent an answer of more than {MAX_RESPONSE // 1024} KiB")

    def _pop(self) -> Response:
        response = self._responses.popleft()
        if isinstance(response, Status) and response.condition is Condition.BYE:
            self._farewell = response
            if self.machine.state is not State.LEAVING:
                raise self._ended(response)
        return response
