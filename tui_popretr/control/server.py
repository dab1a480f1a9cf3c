"""The server of the control socket: snapshots, events and commands for local programs of the same user.

It never slows the engine down. Facts are collected by a mailbox, and encoded once, ten times a second, for all
connections that watch. Each connection has a bounded queue: if its reader does not keep up, its events are dropped and
counted; the reader gets a gap, a new snapshot, and events again. Readers that need a snapshot at the same time get the
same one.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

import trio

from tui_popretr.answers import Answer, WaitingMail
from tui_popretr.bus import Bus
from tui_popretr.commands import Command, Query
from tui_popretr.control import messages
from tui_popretr.control.codec import InvalidMessageError, to_json
from tui_popretr.control.events import Batch, fact_text, line_texts
from tui_popretr.control.lines import LineBuffer
from tui_popretr.control.messages import Hello, Request
from tui_popretr.control.requests import command_of, query_of
from tui_popretr.control.snapshots import Snapshot, encode
from tui_popretr.control.socket_file import peer_uid
from tui_popretr.facts import PastSession
from tui_popretr.mailbox import Mailbox

#: Connections at a time.
MAX_CONNECTIONS: Final = 32
#: A connection's queue: events, and octets.
MAX_EVENTS: Final = 2000
MAX_OCTETS: Final = 4 * 1024 * 1024
#: Queries of a connection at a time.
MAX_QUERIES: Final = 8
#: Facts are passed on at this interval, seconds.
INTERVAL: Final = 0.1
#: Snapshots after gaps are at least this far apart, seconds: they cost more than the events.
GAP_INTERVAL: Final = 0.5
#: Lines of dialogue between two intervals; more of them are a gap for those that watch the dialogue.
MAX_LINES: Final = 20_000
#: Seconds for the last lines of a connection that the server closes.
LINGER: Final = 1.0


class Daemon(Protocol):
    """What the server needs of the engine. All methods are called in the engine's thread."""

    def perform(self, command: Command) -> str:
        """Perform a command and return what happens, in words. Raises ValueError."""
        ...

    async def ask(self, query: Query) -> Answer:
        """Return the answer to a query, which may take as long as a session. Raises ValueError."""
        ...

    async def history(self, client: str, limit: int) -> Sequence[PastSession]:
        """Return the latest sessions of a client, oldest first."""
        ...

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        ...


class ControlServer:
    """Serves the connections of a listening socket until it is cancelled."""

    def __init__(self, daemon: Daemon, bus: Bus, hello: Hello) -> None:
        self._daemon = daemon
        self._bus = bus
        self._hello = messages.encode(messages.hello_message(hello))
        self._connections: set[_Connection] = set()
        self._mailbox = Mailbox(MAX_LINES)
        self._changed = trio.Event()  # a connection watches
        self._gaps: list[_Gap] = []
        self._gap_found = trio.Event()

    async def run(self, listener: socket.socket) -> None:
        """Accept connections and serve them."""
        accepting = trio.socket.from_stdlib_socket(listener)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on)
            nursery.start_soon(self._fill_gaps)
            while True:
                try:
                    connection, _ = await accepting.accept()
                except OSError:  # out of descriptors, or the peer has gone already
                    await trio.sleep(INTERVAL)
                    continue
                nursery.start_soon(self._serve, connection)

    async def _serve(self, connection: trio.socket.SocketType) -> None:
        """Serve a connection. Its errors end neither the server nor another connection."""
        try:
            async with trio.SocketStream(connection) as stream:
                await self._serve_stream(stream)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        refusal = self._refusal(stream.socket)
        if refusal:
            await _send_last(stream, messages.encode(messages.error(None, refusal)))
            return
        served = _Connection(stream, self)
        self._connections.add(served)
        try:
            await stream.send_all(self._hello)
            await served.run()
        finally:
            self._connections.discard(served)
            self._subscribe()

    def _refusal(self, connection: trio.socket.SocketType) -> str:
        if peer_uid(connection) not in (0, os.geteuid()):
            return "only the user of the daemon and root may connect"
        if len(self._connections) >= MAX_CONNECTIONS:
            return f"there are {MAX_CONNECTIONS} connections already; close another one first"
        return ""

    # --- events -------------------------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        """Subscribe to the bus as long as a connection watches: an idle socket costs nothing."""
        self._bus.unsubscribe(self._mailbox)
        self._bus.unsubscribe(self._mailbox.on_dialogue)
        if any(each.watching for each in self._connections):
            self._bus.subscribe(self._mailbox)
            self._changed.set()
        if any(each.wants_dialogue for each in self._connections):
            self._bus.subscribe_dialogue(self._mailbox.on_dialogue)

    async def _pass_on(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            while any(each.watching for each in self._connections):
                self.flush()
                await trio.sleep(INTERVAL)
            self._mailbox.drain()

    def flush(self) -> None:
        """Queue all that has happened until now for the connections that watch."""
        drained = self._mailbox.drain()
        watching = [each for each in self._connections if each.watching]
        if not watching:
            return
        facts = Batch([fact_text(fact) for fact in drained.facts]) if drained.facts else None
        lines = Batch(line_texts(drained.lines)) if drained.lines else None
        for each in watching:
            if facts is not None:
                each.put(facts)
            if each.wants_dialogue:
                if drained.dropped:
                    each.overflow(drained.dropped)
                if lines is not None:
                    each.put(lines)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def answer(self, request: Request, connection: _Connection) -> list[bytes]:
        """Return the lines that answer a request."""
        try:
            match request.request:
                case "status":
                    snapshot = self._daemon.snapshot()
                    return await encode(snapshot, partial(messages.answer_text, request.id), recent=False)
                case "watch":
                    snapshot = self._daemon.snapshot()
                    connection.watch(dialogue=request.dialogue)
                    self._subscribe()
                    return await encode(snapshot, partial(messages.answer_text, request.id), recent=True)
                case "history":
                    if request.client is None:
                        raise ValueError("history needs a client")
                    past = await self._daemon.history(request.client, max(1, min(request.limit, 1000)))
                    return [messages.encode(messages.answer(request.id, {"sessions": to_json(tuple(past))}))]
                case _:
                    return [messages.encode(messages.answer(request.id, self._daemon.perform(command_of(request))))]
        except ValueError as problem:
            return [messages.encode(messages.error(request.id, str(problem)))]

    async def answer_query(self, request: Request, query: Query) -> bytes:
        """Return the line that answers a query."""
        try:
            answer = await self._daemon.ask(query)
        except ValueError as problem:
            return messages.encode(messages.error(request.id, str(problem)))
        line = messages.encode(messages.answer(request.id, to_json(answer)))
        while len(line) > messages.MAX_LINE and isinstance(answer, WaitingMail):
            fewer = answer.messages[: len(answer.messages) // 2]
            answer = replace(answer, messages=fewer, remark=f"only the latest {len(fewer)} fit into the answer")
            line = messages.encode(messages.answer(request.id, to_json(answer)))
        return line

    async def gap(self, connection: _Connection) -> list[bytes]:
        """Return the lines of a gap and its snapshot. Events that happen later follow them."""
        gap = _Gap(connection)
        self._gaps.append(gap)
        self._gap_found.set()
        await gap.filled.wait()
        return gap.lines

    async def _fill_gaps(self) -> None:
        while True:
            await self._gap_found.wait()
            self._gap_found = trio.Event()
            gaps, self._gaps = self._gaps, []
            self.flush()
            lost, snapshot = [gap.connection.forget() for gap in gaps], self._daemon.snapshot()
            lines = await encode(snapshot, '{{"snapshot":{}}}'.format, recent=True)
            for gap, count in zip(gaps, lost, strict=True):
                gap.lines = [messages.encode({"gap": count}), *lines]
                gap.filled.set()
            await trio.sleep(GAP_INTERVAL)


class _Gap:
    """A connection that has lost events waits for a snapshot."""

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self.filled = trio.Event()
        self.lines: list[bytes] = []


class _Connection:
    """One connection: requests are answered in order, events come as they happen."""

    def __init__(self, stream: trio.SocketStream, server: ControlServer) -> None:
        self.watching = False
        self.wants_dialogue = False
        self._stream = stream
        self._server = server
        self._arrived = LineBuffer()
        self._waiting: deque[Batch] = deque()
        self._events = self._octets = 0  # in _waiting
        self._lost = 0  # events dropped since the last gap was sent
        self._number = 0
        self._wakeup = trio.Event()
        self._sending = trio.Lock()
        self._queries = 0  # that are not answered yet

    async def run(self) -> None:
        """Serve until the other side closes, or sends an invalid request."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_events)
            try:
                while (line := await self._line()) is not None:
                    await self._answer(messages.read_request(messages.decode(line)), nursery)
            except InvalidMessageError as problem:
                async with self._sending:
                    await _send_last(self._stream, messages.encode(messages.error(None, str(problem))))
            nursery.cancel_scope.cancel()

    async def _line(self) -> bytes | None:
        """Return the next line; None at the end. Raises InvalidMessageError."""
        while (line := self._arrived.next()) is None:
            chunk = await self._stream.receive_some(64 * 1024)
            if not chunk:
                self._arrived.end()
                return None
            self._arrived.add(chunk)
        return line

    def watch(self, *, dialogue: bool) -> None:
        """Send events from now on. What waited of an earlier watch is in the snapshot that answers this one."""
        self.watching, self.wants_dialogue = True, dialogue
        self.forget()

    def put(self, events: Batch) -> None:
        """Queue events; if they are too many, drop all that wait."""
        if self._lost:
            self._lost += events.count
            return
        self._waiting.append(events)
        self._events += events.count
        self._octets += events.octets
        if self._events > MAX_EVENTS or self._octets > MAX_OCTETS:
            self.overflow(0)
        self._wakeup.set()

    def overflow(self, more: int) -> None:
        """Drop what waits, and count it with `more`: a gap and a snapshot take its place."""
        self._lost = self.forget() + more
        self._wakeup.set()

    def forget(self) -> int:
        """Drop what waits; return the number of events dropped since the last gap."""
        lost = self._lost + self._events
        self._waiting.clear()
        self._events = self._octets = self._lost = 0
        return lost

    async def _answer(self, request: Request, nursery: trio.Nursery) -> None:
        """Answer a request. Earlier events come before the answer, later ones after it.

        A query takes time: other requests are answered meanwhile.
        """
        try:
            query = query_of(request)
            if query is not None and self._queries >= MAX_QUERIES:
                raise ValueError(f"{MAX_QUERIES} requests of this connection wait for mail servers already")
        except ValueError as problem:
            async with self._sending:
                await self._stream.send_all(messages.encode(messages.error(request.id, str(problem))))
            return
        if query is not None:
            self._queries += 1
            nursery.start_soon(self._answer_query, request, query)
            return
        async with self._sending:
            self._server.flush()
            before = self._take()
            for line in (*before, *await self._server.answer(request, self)):
                await self._stream.send_all(line)
        self._wakeup.set()

    async def _answer_query(self, request: Request, query: Query) -> None:
        try:
            line = await self._server.answer_query(request, query)
        finally:
            self._queries -= 1
        async with self._sending:
            await self._stream.send_all(line)

    async def _send_events(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup = trio.Event()
            async with self._sending:
                await self._send_waiting()

    async def _send_waiting(self) -> None:
        while self._waiting or self._lost:
            for lines in await self._server.gap(self) if self._lost else self._take():
                await self._stream.send_all(lines)

    def _take(self) -> list[bytes]:
        """Take what waits, as numbered lines."""
        lines: list[bytes] = []
        for batch in self._waiting:
            lines.append(batch.numbered(self._number + 1))
            self._number += batch.count
        self._waiting.clear()
        self._events = self._octets = 0
        return lines


async def _send_last(stream: trio.SocketStream, line: bytes) -> None:
    """Send a line, shut down this direction, and give the other side a moment to read the line."""
    with trio.move_on_after(LINGER):
        await stream.send_all(line)
        await stream.send_eof()
        while await stream.receive_some(64 * 1024):
            pass
