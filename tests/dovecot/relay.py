"""Something between client and server: it passes octets on, counts them, and stops, breaks or kills where told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import trio

from tests.support.dovecot import HOST

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


class Relay:
    """Passes connections on to a server.

    `tls` puts TLS between client and relay. After `gate_after` octets from the server, on all connections together,
    `at_gate` is called, and nothing more of what the server says gets through until `open` is set; the default of
    `at_gate` sets `at_the_gate`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        gate_after: int | None = None,
        at_gate: Callable[[], object] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._gate_after = gate_after
        self.at_the_gate = trio.Event()
        self.open = trio.Event()
        self._at_gate = at_gate or self.at_the_gate.set
        #: Octets that have come from the server, and from clients.
        self.down = 0
        self.up = 0
        self.connections = 0

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gives the port."""
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        task_status.started(listener.socket.getsockname()[1])
        await trio.serve_listeners(self._pass_on, [listener])

    async def _pass_on(self, raw: trio.SocketStream) -> None:
        self.connections += 1
        client: trio.abc.Stream = raw
        if self._tls is not None:
            client = trio.SSLStream(raw, self._tls, server_side=True, https_compatible=True)
        try:
            server = await trio.open_tcp_stream(self._host, self._port)
        except OSError:
            await trio.aclose_forcefully(client)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._downwards, server, client, nursery.cancel_scope)
                nursery.start_soon(self._upwards, client, server, nursery.cancel_scope)
        finally:
            await trio.aclose_forcefully(server)
            with trio.move_on_after(1):
                await client.aclose()

    async def _downwards(self, server: trio.abc.Stream, client: trio.abc.Stream, ended: trio.CancelScope) -> None:
        try:
            while data := await server.receive_some(65536):
                room = len(data)
                if self._gate_after is not None and self.down + len(data) >= self._gate_after:
                    room = max(self._gate_after - self.down, 0)
                self.down += len(data)
                await client.send_all(data[:room])
                if room < len(data) or self.down == self._gate_after:
                    await self._wait_at_gate()
                    await client.send_all(data[room:])
        except _BROKEN:
            pass
        ended.cancel()

    async def _wait_at_gate(self) -> None:
        self._gate_after = None if self.open.is_set() else self._gate_after
        if not self.open.is_set():
            self._at_gate()
            await self.open.wait()
            self._gate_after = None

    async def _upwards(self, client: trio.abc.Stream, server: trio.abc.Stream, ended: trio.CancelScope) -> None:
        try:
            while data := await client.receive_some(65536):
                self.up += len(data)
                await server.send_all(data)
        except _BROKEN:
            pass
        ended.cancel()


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
        """Call a function in the relay's thread, soon."""
        assert self._token is not None
        self._token.run_sync_soon(function)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                self.port = await nursery.start(self.relay.serve)
                self._started.set()
