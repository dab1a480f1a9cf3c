"""Connecting to a server by TCP."""

from __future__ import annotations

import os
import socket

import trio

from tui_popretr.errors import HostNotFound, ServerUnreachable, describe_os_error
from tui_popretr.net.stream import SocketStream
from tui_popretr.text import visible


async def connect(host: str, port: int, *, timeout: float, shown: str = "") -> SocketStream:
    """Connect by Happy Eyeballs (RFC 8305) within `timeout` seconds, DNS included.

    `shown` is the host as written, for errors. Raises HostNotFound and ServerUnreachable.
    """
    name = visible(shown or host, 253)
    try:
        with trio.fail_after(timeout):
            stream = await trio.open_tcp_stream(host, port)
    except trio.TooSlowError as problem:
        raise ServerUnreachable(f"{name} port {port} did not answer within {timeout:g} s") from problem
    except socket.gaierror as problem:
        raise HostNotFound(f"no address for {name}: {describe_os_error(problem)}") from problem
    except UnicodeError as problem:
        raise HostNotFound(f"{name} is not a possible host name") from problem
    except OSError as problem:
        raise ServerUnreachable(f"cannot connect to {name} port {port}: {_reason(problem)}") from problem
    try:
        sock = socket.socket(fileno=stream.socket.detach())
        try:
            return SocketStream(sock)
        except OSError:
            sock.close()
            raise
    except OSError as problem:  # the server has already closed it
        raise ServerUnreachable(f"cannot connect to {name} port {port}: {describe_os_error(problem)}") from problem


def _reason(problem: OSError) -> str:
    """Return the system's text for the first address that failed. trio puts all of them behind one general error."""
    cause: BaseException | None = problem
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    return os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else str(problem)
