"""Small servers on loopback that speak TLS, or should, and connections to them."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import trio

from tests.support.certificates import HOST
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import TlsFailed
from tui_popretr.facts import TlsDetails
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tls import TlsSession

LOOPBACK = "127.0.0.1"

Server = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def serving(server: Server, host: str = LOOPBACK) -> AsyncIterator[int]:
    """A server on a free port; its connections are closed at the end."""
    (listener,) = await trio.open_tcp_listeners(0, host=host)

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await server(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[SocketStream]:
    """A connection to such a server."""
    async with serving(server) as port:
        stream = await connect(LOOPBACK, port, timeout=30.0)
        try:
            yield stream
        finally:
            stream.close()


def greeter(context: ssl.SSLContext, *, said: list[bytes] | None = None, good_bye: bool = True) -> Server:
    """A server that greets under TLS, keeps what it is told, and closes after a line."""

    async def serve(plain: trio.SocketStream) -> None:
        stream = trio.SSLStream(plain, context, server_side=True, https_compatible=not good_bye)
        await stream.send_all(b"+OK ready\r\n")
        received = b""
        while b"\n" not in received:
            octets = await stream.receive_some()
            if not octets:
                break
            received += octets
        if said is not None:
            said.append(received)
        if good_bye:
            await stream.aclose()
        else:
            await plain.aclose()

    return serve


def alerting(context: ssl.SSLContext) -> Server:
    """A server that greets under TLS and, as real ones do, says by an alert why it does not like a handshake.

    trio's stream goes without a word.
    """

    def shake_hands(sock: socket.socket) -> None:
        with sock, suppress(OSError), context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.sendall(b"+OK ready\r\n")
            wrapped.recv(1)

    async def serve(plain: trio.SocketStream) -> None:
        sock = socket.socket(fileno=os.dup(plain.socket.fileno()))
        sock.settimeout(30.0)
        await trio.to_thread.run_sync(shake_hands, sock)

    return serve


async def under_tls(server: Server, policy: TlsPolicy, host: str = HOST) -> TlsDetails:
    """Connect and do the handshake; return what it came to."""
    failures: list[TlsFailed] = []
    async with connected(server) as stream:
        try:
            return await stream.start_tls(TlsSession(policy, host))
        except TlsFailed as failure:
            failures.append(failure)  # raised in here it would come wrapped in a group
    raise failures[0]
