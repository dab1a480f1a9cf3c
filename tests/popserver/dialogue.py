"""The client's end of a raw POP3 dialogue, for tests that compare octets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from trio.testing import memory_stream_pair

from tui_popretr.popserver import PopServer


class Client:
    """Sends octets and reads lines, without a protocol of its own."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._received = b""

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def line(self) -> str:
        """Return the next line without CRLF; EOFError at the end."""
        return (await self._until(b"\r\n"))[:-2].decode()

    async def ask(self, command: str) -> str:
        """Send a command and return the status line."""
        await self.send(command.encode() + b"\r\n")
        return await self.line()

    async def body(self) -> bytes:
        """Return a multi-line body as it was on the wire, without the terminator's line."""
        if self._received.startswith(b".\r\n") or (len(self._received) < 3 and await self._fill(3) == b".\r\n"):
            self._received = self._received[3:]
            return b""
        return (await self._until(b"\r\n.\r\n"))[:-3]

    async def rows(self, command: str) -> list[str]:
        """Send a command and return the rows of its listing."""
        assert (await self.ask(command)).startswith("+OK")
        return (await self.body()).decode().splitlines()

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection."""
        while octets := await self.stream.receive_some(65536):
            self._received += octets
        rest, self._received = self._received, b""
        return rest

    async def until_silence(self, seconds: float) -> bytes:
        """Return what comes until nothing has come for so long; EOFError if the connection ends instead."""
        while True:
            with trio.move_on_after(seconds):
                self._received += await self._receive()
                continue
            rest, self._received = self._received, b""
            return rest

    async def log_in(self, name: str = "alice", password: str = "secret") -> None:
        assert (await self.line()).startswith("+OK")
        assert (await self.ask(f"USER {name}")).startswith("+OK")
        assert (await self.ask(f"PASS {password}")).startswith("+OK")

    async def _fill(self, octets: int) -> bytes:
        while len(self._received) < octets:
            self._received += await self._receive()
        return self._received[:octets]

    async def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._received += await self._receive()
        head, _, self._received = self._received.partition(end)
        return head + end

    async def _receive(self) -> bytes:
        octets = await self.stream.receive_some(65536)
        if not octets:
            raise EOFError
        return bytes(octets)


class Tapped(trio.abc.Stream):
    """Passes everything on and shows each send to a function."""

    def __init__(self, stream: trio.abc.Stream, on_send: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._on_send = on_send

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._on_send(bytes(data))
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def connected(server: PopServer) -> AsyncIterator[Client]:
    """A connection to the server through memory; at the end the client closes and the server has to have ended."""
    near, far = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, far)
        yield Client(near)
        await near.aclose()
    assert server.failures == []


@asynccontextmanager
async def listening(server: PopServer, *, implicit_tls: bool = False) -> AsyncIterator[int]:
    """The server on a port of 127.0.0.1."""
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(lambda task_status: _serve(server, implicit_tls, task_status))
        yield port
        nursery.cancel_scope.cancel()
    assert server.failures == []


async def _serve(server: PopServer, implicit_tls: bool, task_status: trio.TaskStatus[int]) -> None:
    await server.serve(implicit_tls=implicit_tls, task_status=task_status)
