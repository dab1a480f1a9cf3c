"""The stream seam: bytes to and from a server, in clear or under TLS, over one non-blocking socket.

TLS is done by the SSLSocket itself on the socket's descriptor: no copies through memory BIOs, and one large buffer
filled record by record until the kernel has no more (docs/decisions/0004-own-tls-stream.md).
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from tui_popretr.errors import ConnectionCut, HostNotFound, ServerUnreachable, describe_os_error
from tui_popretr.facts import TlsDetails
from tui_popretr.net.tls import TlsSession
from tui_popretr.net.tls_errors import told_later
from tui_popretr.text import visible

#: Seconds after which the answer to a look-up is no longer waited for by who comes new.
SLOW = 5.0
_RECEIVE = 256 * 1024
# Between filling the buffer and copying out of it nothing is awaited, so all streams of the engine's thread share one.
_buffer = bytearray(_RECEIVE)
_view = memoryview(_buffer)


class Stream(Protocol):
    """What a session needs of a connection. Errors are those of tui_popretr.errors."""

    local: str
    remote: str
    remote_ip: str

    async def receive(self) -> bytes:
        """Return the next bytes, b"" at the end. Raises ConnectionCut."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send everything. Raises ConnectionCut."""
        ...

    async def start_tls(self, session: TlsSession) -> TlsDetails:
        """Do a TLS handshake and go on under TLS. Raises TlsFailed and ConnectionCut."""
        ...

    def channel_binding(self) -> bytes | None:
        """Return what only the two ends of this TLS connection know (tls-unique, RFC 5929 §3); None without such."""
        ...

    def close(self) -> None:
        """Close at once; never blocks and never raises."""
        ...


def _address(name: tuple[object, ...]) -> str:
    host, port = str(name[0]), name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class SocketStream:
    """A TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._peer = sock.getpeername()
        self._tls: TlsSession | None = None
        self._take(sock)
        self.remote = _address(self._peer)
        self.remote_ip = str(self._peer[0])

    def _take(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self.local = _address(sock.getsockname())

    async def receive(self) -> bytes:
        sock, size = self._socket, 0
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                # Under TLS each call gives one record of at most 16 kB: go on until there is no more.
                while size < _RECEIVE:
                    got = sock.recv_into(_view[size:])
                    if not got:
                        break
                    size += got
                    if not isinstance(sock, ssl.SSLSocket):
                        break
                data = bytes(_view[:size])
            except (ssl.SSLWantReadError, BlockingIOError):
                if not size:
                    await trio.lowlevel.wait_readable(sock)
                    continue
                data = bytes(_view[:size])
            except ssl.SSLWantWriteError:
                # A key update waits for room to be sent. The sender may be waiting for the same descriptor, and trio
                # allows one waiter; this is rare enough to look again a little later.
                if not size:
                    await trio.sleep(0.01)
                    continue
                data = bytes(_view[:size])  # other streams use the buffer while this one waits
            except (OSError, ValueError) as problem:
                if size:
                    data = bytes(_view[:size])  # the error comes again at the next call
                else:
                    raise _cut(problem) from problem
            await trio.lowlevel.cancel_shielded_checkpoint()  # what was read must not get lost
            return data

    async def send_all(self, data: bytes) -> None:
        sock = self._socket
        await trio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[sock.send(rest) :]
            except (ssl.SSLWantWriteError, BlockingIOError):
                await trio.lowlevel.wait_writable(sock)
            except (OSError, ValueError) as problem:
                raise _cut(problem) from problem

    async def start_tls(self, session: TlsSession) -> TlsDetails:
        self._tls = session
        try:
            try:
                wrapped = await self._shake_hands(session)
            except (OSError, ValueError) as problem:
                if not session.gives_up_resuming(problem):
                    raise
                await self._connect_again()
                wrapped = await self._shake_hands(session)
        except (OSError, ValueError) as problem:
            raise session.explain(problem) from problem
        return session.verified(wrapped)

    async def _shake_hands(self, session: TlsSession) -> ssl.SSLSocket:
        self._socket = wrapped = session.wrap(self._socket)
        while True:
            try:
                wrapped.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(wrapped)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(wrapped)
            else:
                return wrapped

    async def _connect_again(self) -> None:
        """Connect to the same address, when nothing has been said yet."""
        self._socket.close()
        with trio.socket.socket(self._socket.family) as sock:
            await sock.connect(self._peer)
            trio.SocketStream(sock)  # sets the options that the first one has
            self._take(socket.socket(fileno=sock.detach()))

    def channel_binding(self) -> bytes | None:
        return None if self._tls is None else self._tls.channel_binding()

    def close(self) -> None:
        sock = self._socket
        if isinstance(sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                if self._tls is not None:
                    self._tls.keep()
                sock.unwrap()  # sends close_notify if it can; the answer is not waited for
        with contextlib.suppress(OSError):
            sock.close()


def _cut(problem: Exception) -> ConnectionCut:
    if isinstance(problem, ssl.SSLEOFError) or "UNEXPECTED_EOF" in (getattr(problem, "reason", None) or ""):
        return ConnectionCut("the TLS connection broke: it ended without close_notify")
    if isinstance(problem, ssl.SSLError):
        if about_our_certificate := told_later(problem):
            return about_our_certificate
        return ConnectionCut(f"the TLS connection broke: {(problem.reason or str(problem)).lower().replace('_', ' ')}")
    if isinstance(problem, OSError):
        return ConnectionCut(f"the connection broke: {describe_os_error(problem)}")
    return ConnectionCut("the connection broke")


@dataclass(slots=True, eq=False)
class _LookUp:
    """A name that is being looked up, for all who ask for it meanwhile."""

    begun: float = field(default_factory=trio.current_time)
    done: trio.Event = field(default_factory=trio.Event)
    addresses: Any = None
    problem: Exception | None = None


class Resolver(trio.abc.HostnameResolver):
    """getaddrinfo in threads of its own: a dead resolver must not use up the threads that fsync needs.

    The accounts of a fleet are at few hosts: who asks for what is being looked up shares the answer, unless that takes
    so long that asking once more may help.
    """

    def __init__(self, threads: int = 16) -> None:
        self._limiter = trio.CapacityLimiter(threads)
        self._under_way: dict[tuple[Any, ...], _LookUp] = {}

    async def getaddrinfo(self, *arguments: Any) -> Any:
        look_up = self._under_way.get(arguments)
        if look_up is None or trio.current_time() - look_up.begun > SLOW:
            look_up = self._under_way[arguments] = _LookUp()
            # A task of nobody's: who gives up does not end it for the others.
            trio.lowlevel.spawn_system_task(self._look_up, arguments, look_up)
        await look_up.done.wait()
        if look_up.problem is not None:
            raise look_up.problem
        return look_up.addresses

    async def _look_up(self, arguments: tuple[Any, ...], look_up: _LookUp) -> None:
        try:
            look_up.addresses = await self._in_thread(socket.getaddrinfo, *arguments)
        except Exception as problem:  # noqa: BLE001 - it is for those who asked
            look_up.problem = problem
        finally:
            if self._under_way.get(arguments) is look_up:
                del self._under_way[arguments]
            look_up.done.set()

    async def getnameinfo(self, *arguments: Any) -> Any:
        return await self._in_thread(socket.getnameinfo, *arguments)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter, abandon_on_cancel=True)


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
    except OSError as problem:  # closed by the server since
        raise ServerUnreachable(f"cannot connect to {name} port {port}: {describe_os_error(problem)}") from problem


def _reason(problem: OSError) -> str:
    """The system's words for the first address that failed: trio puts all of them behind one general error."""
    cause: BaseException | None = problem
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
    return os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else str(problem)
