"""The stream: bytes to and from a server, in clear or under TLS, over one non-blocking socket.

An SSLSocket works on the descriptor itself, without copies through memory BIOs. It fills one large buffer record by
record until the kernel has no more (docs/decisions/0004-own-tls-stream.md).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Final, Protocol

import trio

from tui_popretr.errors import ConnectionCut, describe_os_error
from tui_popretr.facts import TlsDetails
from tui_popretr.net.tls import TlsSession
from tui_popretr.net.tls_errors import client_certificate_alert

_RECEIVE: Final = 256 * 1024
_RECEIVE_NOWAIT: Final = 4096
# Nothing is awaited between filling the buffer and copying out of it, so all streams of a trio run share one.
_BUFFER: Final[trio.lowlevel.RunVar[memoryview]] = trio.lowlevel.RunVar("receive buffer")


class Stream(Protocol):
    """A connection, as a session uses it. Errors are those of tui_popretr.errors."""

    local: str
    local_ip: str
    remote: str
    remote_ip: str

    async def receive(self) -> bytes:
        """Return the next bytes, b"" at the end. Raises ConnectionCut."""
        ...

    def receive_nowait(self) -> bytes | None:
        """Return the bytes that have arrived, b"" at the end, None if there are none. Raises ConnectionCut."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send everything. Raises ConnectionCut."""
        ...

    def send_nowait(self, data: bytes) -> int:
        """Send what the system takes at once; return how many bytes. Raises ConnectionCut."""
        ...

    async def start_tls(self, session: TlsSession) -> TlsDetails:
        """Do a TLS handshake and continue under TLS. Raises TlsFailed and ConnectionCut."""
        ...

    def channel_binding(self) -> bytes | None:
        """Return data that only the two ends of this TLS connection know (tls-unique, RFC 5929 §3), or None."""
        ...

    def close(self) -> None:
        """Close at once; never blocks and never raises."""
        ...


def _receive_buffer() -> memoryview:
    try:
        return _BUFFER.get()
    except LookupError:
        view = memoryview(bytearray(_RECEIVE))
        _BUFFER.set(view)
        return view


def _address(name: Any) -> tuple[str, str]:
    """Return a socket's address as host:port, and its host: a path and "" for a Unix socket."""
    if not isinstance(name, tuple):
        return str(name), ""
    host, port = str(name[0]), name[1]
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}"), host


class SocketStream:
    """A connection by TCP, or by a Unix socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._tls: TlsSession | None = None
        self.local, self.local_ip = _address(sock.getsockname())
        self.remote, self.remote_ip = _address(sock.getpeername())

    async def receive(self) -> bytes:
        sock, view, size, waited = self._socket, _receive_buffer(), 0, False
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                # Under TLS each call returns one record of at most 16 kB: repeat until there is no more.
                while size < _RECEIVE:
                    got = sock.recv_into(view[size:])
                    if not got:
                        break
                    size += got
                    if not isinstance(sock, ssl.SSLSocket):
                        break
                data = bytes(view[:size])
            except (ssl.SSLWantReadError, BlockingIOError):
                if not size:
                    await trio.lowlevel.wait_readable(sock)
                    waited = True
                    continue
                data = bytes(view[:size])
            except ssl.SSLWantWriteError:
                # A key update must be sent, and the send buffer is full. The sender may wait for the same descriptor,
                # and trio allows one waiter. This is rare enough for a short sleep.
                if not size:
                    await trio.sleep(0.01)
                    continue
                data = bytes(view[:size])  # other streams use the buffer while this one waits
            except (OSError, ValueError) as problem:
                if size:
                    data = bytes(view[:size])  # the error comes again at the next call
                else:
                    raise _cut(problem) from problem
            if not waited:
                await trio.lowlevel.cancel_shielded_checkpoint()  # a cancel must not lose what was read
            return data

    def receive_nowait(self) -> bytes | None:
        try:
            return self._socket.recv(_RECEIVE_NOWAIT)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return None
        except (OSError, ValueError) as problem:
            raise _cut(problem) from problem

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

    def send_nowait(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except (ssl.SSLWantWriteError, BlockingIOError):
            return 0
        except (OSError, ValueError) as problem:
            raise _cut(problem) from problem

    async def start_tls(self, session: TlsSession) -> TlsDetails:
        self._tls = session
        try:
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

    def channel_binding(self) -> bytes | None:
        return None if self._tls is None else self._tls.channel_binding()

    def close(self) -> None:
        sock = self._socket
        if isinstance(sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                sock.unwrap()  # sends close_notify if it can, and does not wait for the answer
        with contextlib.suppress(OSError):
            sock.close()


async def send_within(stream: Stream, data: bytes, seconds: float) -> bool:
    """Send all of it; return False if the peer has not taken it after `seconds`. Raises ConnectionCut."""
    await trio.lowlevel.checkpoint_if_cancelled()
    sent = stream.send_nowait(data)
    if sent == len(data):  # nearly always, so that most messages need no deadlines for sending
        return True
    with trio.move_on_after(seconds) as scope:
        await stream.send_all(data[sent:])
    return not scope.cancelled_caught


def _cut(problem: Exception) -> ConnectionCut:
    if isinstance(problem, ssl.SSLEOFError) or "UNEXPECTED_EOF" in (getattr(problem, "reason", None) or ""):
        return ConnectionCut("the TLS connection broke: it ended without close_notify")
    if isinstance(problem, ssl.SSLError):
        if alert := client_certificate_alert(problem):
            return alert
        return ConnectionCut(f"the TLS connection broke: {(problem.reason or str(problem)).lower().replace('_', ' ')}")
    if isinstance(problem, OSError):
        return ConnectionCut(f"the connection broke: {describe_os_error(problem)}")
    return ConnectionCut("the connection broke")
