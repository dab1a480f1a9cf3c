"""Connecting to a server: by TCP, or to a Unix socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from tui_popretr.errors import HostNotFound, ServerUnreachable, describe_os_error
from tui_popretr.net.stream import SocketStream
from tui_popretr.text import visible

#: Seconds for the look-up and the connection to a server that mail or requests are sent to, for all addresses together.
CONNECT_TIMEOUT: Final = 30.0


class NotConnected(Exception):
    """There is no connection; str() is the reason. `found`: the host has an address."""

    def __init__(self, reason: str, *, found: bool = True) -> None:
        super().__init__(reason)
        self.found = found

    @property
    def reason(self) -> str:
        """What to say behind "cannot reach NAME: "."""
        return str(self) if self.found else f"no address was found: {self}"


async def connect(host: str, port: int, *, timeout: float, shown: str = "") -> SocketStream:
    """Connect to a POP3 server as open_stream() does. Raises HostNotFound and ServerUnreachable.

    `shown` is the host as written, for errors.
    """
    name = visible(shown or host, 253)
    try:
        return await open_stream(host, port, timeout)
    except NotConnected as problem:
        if not problem.found:
            raise HostNotFound(f"no address for {name}: {problem}") from problem
        if isinstance(problem.__cause__, trio.TooSlowError):
            raise ServerUnreachable(f"{name} port {port} did not answer within {timeout:g} s") from problem
        raise ServerUnreachable(f"cannot connect to {name} port {port}: {problem}") from problem


async def open_stream(host: str, port: int, timeout: float) -> SocketStream:
    """Connect by Happy Eyeballs (RFC 8305) within `timeout` seconds, DNS included. Raises NotConnected."""
    return await _within(timeout, trio.open_tcp_stream, host, port)


async def open_unix_stream(path: str, timeout: float) -> SocketStream:
    """Connect to a Unix socket. Raises NotConnected."""
    return await _within(timeout, trio.open_unix_socket, path)


async def _within(
    timeout: float, opener: Callable[..., Awaitable[trio.SocketStream]], *where: str | int
) -> SocketStream:
    try:
        with trio.fail_after(timeout):
            stream = await opener(*where)
    except trio.TooSlowError as problem:
        raise NotConnected(f"no answer within {timeout:g} s") from problem
    except socket.gaierror as problem:
        raise NotConnected(describe_os_error(problem), found=False) from problem
    except UnicodeError as problem:
        raise NotConnected("it is not a possible host name", found=False) from problem
    except (OSError, ValueError) as problem:  # ValueError: a path with a NUL
        raise NotConnected(_reason(problem)) from problem
    sock = socket.socket(fileno=stream.socket.detach())
    try:
        return SocketStream(sock)
    except OSError as problem:  # the server has already closed it
        sock.close()
        raise NotConnected(describe_os_error(problem)) from problem


def _reason(problem: Exception) -> str:
    """Return the system's text for the first address that failed. trio puts all of them behind one general error."""
    cause: BaseException | None = problem
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    return os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else str(problem)
