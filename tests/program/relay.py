"""A relay between client and server. It passes octets on until a gate, where it calls a function of the test."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from types import TracebackType
from typing import Self

import trio

from tests.support.dovecot import HOST
from tests.support.waiting import PATIENCE

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


class Relay:
    """Passes connections on to a server; `tls` puts TLS between client and relay.

    arm() closes a gate after a number of octets from the server (`down`) or from clients (`up`), counted over all
    connections: `action` is called once, and no more octets pass in that direction until release().
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._host = host
        self._port = port
        self._tls = tls
        self._left: dict[str, float] = {"down": inf, "up": inf}
        self._action: Callable[[], object] = lambda: None
        self._released = trio.Event()
        self._open: set[trio.CancelScope] = set()
        self._cut_at, self._cuts = b"", 0

    def arm(self, action: Callable[[], object], *, down: float = inf, up: float = inf) -> None:
        """Set up the gate. Call this while no octets pass, or in the relay's own thread."""
        self._left = {"down": down, "up": up}
        self._action = action
        self._released = trio.Event()

    def release(self) -> None:
        """Remove the gate and pass on the octets that wait there. Call this in the relay's own thread."""
        self._left = {"down": inf, "up": inf}
        self._released.set()

    def cut(self) -> None:
        """Remove the gate and break all connections. Call this in the relay's own thread."""
        self.release()
        for scope in self._open:
            scope.cancel()

    def cut_at(self, said: bytes, times: int = 1) -> None:
        """Break the connection when a client sends `said`, `times` times; the server does not get it."""
        self._cut_at, self._cuts = said, times

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gives the port."""
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        task_status.started(listener.socket.getsockname()[1])
        await trio.serve_listeners(self._serve_one, [listener])

    async def _serve_one(self, raw: trio.SocketStream) -> None:
        self.connections += 1
        client: trio.abc.Stream = raw
        if self._tls is not None:
            client = trio.SSLStream(raw, self._tls, server_side=True, https_compatible=True)
        try:
            server = await trio.open_tcp_stream(self._host, self._port)
        except OSError:
            await trio.aclose_forcefully(client)
            return
        both = trio.CancelScope()
        self._open.add(both)
        try:
            with both:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pass_on, "down", server, client, both)
                    nursery.start_soon(self._pass_on, "up", client, server, both)
        finally:
            self._open.discard(both)
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(server)
                await trio.aclose_forcefully(client)

    async def _pass_on(
        self, way: str, source: trio.abc.Stream, target: trio.abc.Stream, both: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(65536):
                if self._cuts and way == "up" and self._cut_at in data:
                    self._cuts -= 1
                    break
                room = int(min(self._left[way], len(data)))
                self._left[way] -= room
                await target.send_all(data[:room])
                if not self._left[way]:
                    self._left[way] = inf
                    self._action()
                    await self._released.wait()
                await target.send_all(data[room:])
        except _BROKEN:
            pass
        both.cancel()


class RelayThread:
    """A relay in a thread of its own, for tests whose client is another process."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.port = 0
        self._started = threading.Event()
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.call(self._scope.cancel)
        self._thread.join()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the relay's thread, and wait until it returns."""
        assert self._token is not None
        trio.from_thread.run_sync(function, trio_token=self._token)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.port = await nursery.start(self.relay.serve)
                self._started.set()


class Gate:
    """Silences a client's server after a number of octets, until the gate is opened."""

    def __init__(self, thread: RelayThread) -> None:
        self._thread = thread
        self._silent = threading.Event()

    @property
    def port(self) -> int:
        return self._thread.port

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def shut(self, after: int) -> None:
        """Let `after` more octets from the server pass, and then none."""
        self._silent.clear()
        self._thread.call(partial(self._thread.relay.arm, self._silent.set, down=after))

    @property
    def silent(self) -> bool:
        """Whether the server has sent the octets that may pass, and is silenced."""
        return self._silent.is_set()

    def reached(self) -> None:
        """Wait for the silence."""
        assert self._silent.wait(PATIENCE), "the server did not send the octets that may pass"

    def open(self) -> None:
        """Let everything pass."""
        self._thread.call(self._thread.relay.release)

    def cut(self) -> None:
        """Break the connections."""
        self._thread.call(self._thread.relay.cut)


@contextmanager
def gate_to(host: str, port: int) -> Iterator[Gate]:
    """Run a relay to a server during the block; its gate is open at first."""
    with RelayThread(Relay(host, port)) as thread:
        gate = Gate(thread)
        try:
            yield gate
        finally:
            gate.cut()
