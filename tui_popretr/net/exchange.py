"""Requests and answers of HTTP/1.1 on one stream (RFC 9112), one after the other, by h11.

A body may be sent in pieces. Before each piece, what has arrived is read: a server that refuses a request may answer
before it has all of it, and reads no more (RFC 9112 §9.3). Then the rest is not sent, and the answer is marked `early`.

**What a server may have acted on**: `whole` is true from the moment at which the last octets of a request are handed to
the system. Before, the server cannot have all of it; after it, only the answer says what the server did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import h11
import trio

from tui_popretr.errors import ConnectionCut, WebRequestFailed, WebServerSilent
from tui_popretr.net.stream import Stream
from tui_popretr.secret import STARS
from tui_popretr.text import visible

Headers = Sequence[tuple[str, str]]
#: Sends a piece of a body.
SendPiece = Callable[[bytes], Awaitable[None]]

#: What is shown of a redirection is its origin: the rest may repeat secrets of the request.
_SHOWN: Final = 200
#: Answers with a status of 1xx to one request, at most. They are read without a pause.
_INTERIM: Final = 20


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is sent in pieces: `octets` is its length, `write` sends all of it.

    `write` may be called again if the connection was lost before the whole body was sent. What it raises ends the
    request.
    """

    octets: int
    write: Callable[[SendPiece], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived. `early`: it came before the whole request was sent."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)  # it may hold secrets
    early: bool = False


class _AnsweredEarly(Exception):
    """The head of an answer has arrived before the request was sent."""


class Exchange:
    """The requests on one stream, to a server that errors call `host`. `keep`: for more than one request."""

    def __init__(self, stream: Stream, host: str, *, keep: bool) -> None:
        self._stream = stream
        self._host = host
        self._keep = keep
        self._http = h11.Connection(h11.CLIENT)
        self._head: h11.Response | None = None
        self._ended = False
        self._left = 0
        self._interim = 0
        self._secrets: list[str] = []  # of the request
        #: The server may have all octets of the last request.
        self.whole = False
        #: Octets of the answer to the last request have arrived.
        self.answering = False

    @property
    def usable(self) -> bool:
        """Whether another request may be sent. Reads: the server may have closed an idle connection."""
        if not self._keep or self._ended or self._http.our_state is not h11.IDLE:
            return False
        try:
            return self._stream.receive_nowait() is None
        except ConnectionCut:
            return False

    def close(self) -> None:
        """Close the connection at once; never raises."""
        self._ended = True
        self._stream.close()

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes | Body, *, limit: int, timeout: float
    ) -> Answer:
        """Send a request and return its answer, of at most `limit` octets.

        The server may take `timeout` seconds for each piece of the request, and for the answer. Raises ConnectionCut,
        WebServerSilent, WebRequestFailed, and what the body raises. Then the connection cannot be used again.
        """
        self.whole = self.answering = False
        self._head = None
        self._interim = 0
        self._secrets = [value.rpartition(" ")[2] for name, value in headers if name.lower() == "authorization"]
        early = False
        try:
            await self._send(method, target, headers, body, timeout)
        except _AnsweredEarly:
            early = True
        with trio.move_on_after(timeout):
            answer = await self._receive(limit, early=early)
            if self._keep and self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
                self._ended = bool(self._http.trailing_data[0])  # an answer to no request
            return answer
        raise self._silent(timeout)

    # --- the request --------------------------------------------------------------------------------------------------

    async def _send(self, method: str, target: str, headers: Headers, body: bytes | Body, timeout: float) -> None:
        octets = body.octets if isinstance(body, Body) else len(body)
        lines = [("Host", self._host), *headers, *(() if self._keep else (("Connection", "close"),))]
        if octets or method == "POST":
            lines.append(("Content-Length", str(octets)))
        head = self._http.send(h11.Request(method=method, target=target, headers=lines)) or b""
        self._left = octets

        async def send_piece(data: bytes) -> None:
            nonlocal head
            self._left -= len(data)
            assert self._left >= 0
            first, head = head, b""
            await self._send_octets(first + (self._http.send(h11.Data(data=data)) or b""), timeout)

        if isinstance(body, Body):
            await body.write(send_piece)
        elif body:
            await send_piece(body)
        if head:
            await self._send_octets(head, timeout)
        assert not self._left
        self._http.send(h11.EndOfMessage())

    async def _send_octets(self, data: bytes, timeout: float) -> None:
        self._look()
        self.whole = not self._left
        try:
            with trio.move_on_after(timeout):
                await self._stream.send_all(data)
                return
        except ConnectionCut:
            self._look()  # a server that refuses a request may answer and close without reading the rest
            raise
        self._look()
        raise WebServerSilent(f"{self._host} has taken no data for {timeout:g} s")

    def _look(self) -> None:
        """Read what has arrived. Raises _AnsweredEarly, and ConnectionCut if the connection has ended."""
        while (data := self._stream.receive_nowait()) is not None:
            self._feed(data)
            while self._head is None and self._next() is not h11.NEED_DATA:
                pass
            if self._head is not None:
                raise _AnsweredEarly
            if not data:
                raise self._cut()

    # --- the answer ---------------------------------------------------------------------------------------------------

    async def _receive(self, limit: int, *, early: bool) -> Answer:
        received = bytearray()
        while True:
            event = self._next()
            if event is h11.NEED_DATA:
                self._feed(await self._stream.receive())
            elif isinstance(event, h11.Data):
                received += event.data
                if len(received) > limit:
                    raise WebRequestFailed(f"{self._host} sends more than {limit} octets")
            elif isinstance(event, h11.EndOfMessage):
                head = self._head
                assert head is not None
                reason = visible(self._starred(head.reason.decode("latin-1")), 100)
                return Answer(head.status_code, reason, tuple(head.headers), bytes(received), early)

    def _feed(self, data: bytes) -> None:
        self._ended = not data
        self.answering = self.answering or bool(data)
        self._http.receive_data(data)

    def _next(self) -> object:
        """Return the next event of h11, and keep the head of the answer."""
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as problem:
            if self._ended:
                raise self._cut() from problem
            reason = str(problem).partition(": ")[0]  # what h11 quotes may repeat secrets of the request
            raise WebRequestFailed(f"{self._host} does not speak HTTP: {visible(reason, _SHOWN)}") from None
        if isinstance(event, h11.Response):
            self._head = event
        elif isinstance(event, h11.InformationalResponse):
            self._interim += 1
            if self._interim > _INTERIM:
                raise WebRequestFailed(f"{self._host} sends one interim answer after the other")
        return event

    def _starred(self, text: str) -> str:
        """Return what the server says without secrets of the request."""
        for secret in filter(None, self._secrets):
            text = text.replace(secret, STARS)
        return text

    def _cut(self) -> ConnectionCut:
        return ConnectionCut(f"{self._host} ended the connection before its answer was complete")

    def _silent(self, timeout: float) -> WebServerSilent:
        return WebServerSilent(f"{self._host} has not answered within {timeout:g} s")
