"""A control server on a real Unix socket over a scripted daemon, and a connection that checks every line it reads."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import jsonschema
import trio

from scripts.control_schema import schema
from tests.support.clock import FakeClock
from tests.support.dashboard import clients
from tests.support.passwords import discreet
from tui_popretr.answers import Answer, Done
from tui_popretr.bus import Bus
from tui_popretr.commands import Command, Query
from tui_popretr.control import messages, snapshots
from tui_popretr.control.codec import EVENTS
from tui_popretr.control.server import ControlServer
from tui_popretr.control.snapshots import Snapshot
from tui_popretr.control.socket_file import ControlSocket
from tui_popretr.facts import Dialogue, DialogueLine, Fact, PastSession
from tui_popretr.status import View

Json = dict[str, Any]
CONFIG: Final = "/etc/mail.xml"
_SCHEMA: Final = schema()


def _validator(name: str) -> Callable[[object], None]:
    validator = jsonschema.Draft202012Validator({**_SCHEMA, "anyOf": [{"$ref": f"#/$defs/{name}"}]})
    return lambda message: validator.validate(message)


_check_any: Final = _validator("ServerMessage")
_CHECKS: Final = {name: _validator(f"{kind.__name__}Event") for name, kind in EVENTS.items()}
check_request: Final = _validator("Request")


def check_server_message(message: object) -> None:
    """Validate a message; an event only with the schema of its name, because trying all of them takes long."""
    name = message.get("event") if isinstance(message, dict) else None
    check = _CHECKS.get(name, _check_any) if isinstance(name, str) else _check_any
    check(message)


class ScriptedDaemon:
    """A Daemon whose view follows the bus; `performed` has the commands."""

    def __init__(self, *ids: str) -> None:
        self.bus = Bus()
        self.clock = FakeClock()
        self.performed: list[Command] = []
        self.refusal = ""
        self.past: list[PastSession] = []
        self.queries: list[Query] = []
        self.answer: Answer | ValueError = Done(("done",))
        self.answering = trio.Event()  # set: queries are answered
        self.asked: list[tuple[str, int]] = []
        self._view = View()
        self._lines: list[DialogueLine] = []
        self.bus.subscribe(self._apply)
        self.bus.subscribe_dialogue(self._add)
        self.bus.publish(clients(*ids))

    def _apply(self, fact: Fact) -> None:
        self._view.apply([fact], self.clock.boottime(), self.clock.now())

    def _add(self, piece: Dialogue) -> None:
        self._lines += piece.lines()

    def perform(self, command: Command) -> str:
        if self.refusal:
            raise ValueError(self.refusal)
        self.performed.append(command)
        return "done"

    async def ask(self, query: Query) -> Answer:
        self.queries.append(query)
        await self.answering.wait()
        if isinstance(self.answer, ValueError):
            raise self.answer
        return self.answer

    async def history(self, client: str, limit: int) -> Sequence[PastSession]:
        self.asked.append((client, limit))
        return self.past

    def snapshot(self) -> Snapshot:
        return snapshots.take(self._view, self._lines[-2000:], self.clock.boottime(), self.clock.now())


class Connection:
    """The client's side: send() writes a request, receive() returns the next message after checking its schema."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""
        self._number = 0

    async def send(self, request: str, **fields: object) -> int:
        self._number += 1
        message = {"id": self._number, "request": request, **fields}
        await self.stream.send_all(messages.encode(message))
        return self._number

    async def receive(self) -> Json:
        while b"\n" not in self._buffer:
            chunk = await self.stream.receive_some(65536)
            assert chunk, f"the server closed the connection; {self._buffer[:200]!r} was left"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        assert len(line) < messages.MAX_LINE
        discreet(line.decode())
        message: Json = json.loads(line)
        check_server_message(message)
        return message

    async def ask(self, request: str, **fields: object) -> Any:
        """Send a request and return the answer: its result, or its error as a string."""
        number = await self.send(request, **fields)
        message = await self.receive()
        assert message["id"] == number
        return message.get("ok", message.get("error"))

    async def closed(self) -> bool:
        """Whether the server has closed, with nothing left to read."""
        return self._buffer == b"" and await self.stream.receive_some(1) == b""


class Serving:
    """A running server, and the connections to it."""

    def __init__(self, daemon: ScriptedDaemon, path: str) -> None:
        self.daemon = daemon
        self.path = path
        self.streams: list[trio.SocketStream] = []
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, socket: ControlSocket) -> None:
        server = ControlServer(self.daemon, self.daemon.bus, messages.hello(CONFIG, 1, self.daemon.clock.now()))
        try:
            with self._scope:
                await server.run(socket.listener)
        finally:
            self._ended.set()
            socket.close()

    async def end(self) -> None:
        """End the server; the connections' other sides stay open."""
        self._scope.cancel()
        await self._ended.wait()

    async def open(self) -> trio.SocketStream:
        stream = await trio.open_unix_socket(self.path)
        self.streams.append(stream)
        return stream

    async def connect(self) -> Connection:
        """Connect, and read the hello."""
        connection = Connection(await self.open())
        assert (await connection.receive())["hello"]["config"] == CONFIG
        return connection


@asynccontextmanager
async def serving(folder: Path, *ids: str) -> AsyncIterator[Serving]:
    """Serve a scripted daemon with these clients."""
    os.chmod(folder, 0o700)
    served = Serving(ScriptedDaemon(*ids), str(folder / "control.sock"))
    socket = ControlSocket(served.path)
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(served.run, socket)
            try:
                yield served
                await served.end()
            finally:
                for each in served.streams:
                    each.socket.close()
