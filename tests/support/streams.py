"""Connections through memory: the engine's Stream at one end, a scripted peer or the embedded server at the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.testing import memory_stream_pair

from tui_popretr.errors import ConnectionCut
from tui_popretr.facts import TlsDetails
from tui_popretr.net.tls import TlsSession

#: One end of a memory_stream_pair().
MemoryEnd = trio.StapledStream[Any, Any]


class MemoryStream:
    """The engine's Stream over one end of a memory stream.

    `on_send` is shown what is sent before the other end sees it. `handshake` stands for TLS's, which memory has not.
    """

    local = "192.0.2.9:50794"
    local_ip = "192.0.2.9"
    remote = "192.0.2.7:110"
    remote_ip = "192.0.2.7"
    #: What channel_binding() returns.
    binding: bytes | None = None

    def __init__(
        self,
        end: MemoryEnd,
        *,
        on_send: Callable[[bytes], None] | None = None,
        handshake: Callable[[TlsSession], Awaitable[TlsDetails]] | None = None,
    ) -> None:
        self._end = end
        self._on_send = on_send
        self._handshake = handshake
        self.closed = False

    async def receive(self) -> bytes:
        try:
            return bytes(await self._end.receive_some())
        except (trio.BrokenResourceError, trio.ClosedResourceError) as problem:
            raise ConnectionCut("the connection broke") from problem

    def receive_nowait(self) -> bytes | None:
        try:
            return bytes(self._end.receive_stream._incoming.get_nowait())
        except trio.WouldBlock:
            return None

    async def send_all(self, data: bytes) -> None:
        if self._on_send is not None:
            self._on_send(data)
        try:
            await self._end.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as problem:
            raise ConnectionCut("the connection broke") from problem

    def send_nowait(self, data: bytes) -> int:
        return 0

    async def start_tls(self, session: TlsSession) -> TlsDetails:
        assert self._handshake is not None, "a handshake was not expected"
        return await self._handshake(session)

    def channel_binding(self) -> bytes | None:
        return self.binding

    def close(self) -> None:
        self.closed = True
        self._end.send_stream.close()
        self._end.receive_stream.close()


class Peer:
    """A server that says what the test tells it to."""

    def __init__(self, end: MemoryEnd) -> None:
        self._end = end
        self._received = b""

    async def say(self, *lines: str) -> None:
        """Send lines, in one piece."""
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, octets: bytes) -> None:
        await self._end.send_all(octets)

    async def heard(self) -> str:
        """Return the next command line, without its CRLF. Raises EOFError when the client is gone."""
        while b"\r\n" not in self._received:
            octets = await self._end.receive_some()
            if not octets:
                raise EOFError
            self._received += octets
        line, _, self._received = self._received.partition(b"\r\n")
        return line.decode()

    async def octets(self, count: int) -> bytes:
        """Return that many octets. Raises EOFError when the client is gone."""
        while len(self._received) < count:
            octets = await self._end.receive_some()
            if not octets:
                raise EOFError
            self._received += octets
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    async def answer(self, *dialogue: tuple[str, str]) -> None:
        """Expect each command in turn and answer it with the line or lines (parted by newlines) beside it."""
        for command, reply in dialogue:
            heard = await self.heard()
            assert heard == command, f"{heard!r} instead of {command!r}"
            await self.say(*reply.split("\n"))

    async def close(self) -> None:
        """End the connection; what was sent before still arrives."""
        await self._end.aclose()


def memory_connection(
    *,
    on_send: Callable[[bytes], None] | None = None,
    handshake: Callable[[TlsSession], Awaitable[TlsDetails]] | None = None,
) -> tuple[MemoryStream, MemoryEnd]:
    """Return the client's Stream, and the other end for a Peer or PopServer.serve_stream."""
    near, far = memory_stream_pair()
    return MemoryStream(near, on_send=on_send, handshake=handshake), far
