"""Requests to web servers (RFC 9110, RFC 9112): one request, one answer, bounded in time and size.

The certificate is verified with the system's trust store. Without TLS, a request goes to this machine only. A
redirection is not followed: the caller has decided which host gets the request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

import h11
import trio

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ConnectionCut, WebRequestFailed, WebServerSilent
from tui_popretr.hosts import InvalidHostName, ascii_host, is_loopback, with_port
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsContexts, TlsSession
from tui_popretr.text import visible

_PORTS: Final = {"http": 80, "https": 443}
_OK: Final = 200
#: What is shown of a redirection: the rest may repeat secrets of the request.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.:\[\]-]{1,100}(?=[/?#]|$)", re.IGNORECASE)

#: Connects to a host at a port, within the timeout (seconds).
Dial = Callable[[str, int, float], Awaitable[Stream]]

Headers = Sequence[tuple[str, str]]


async def dial_tcp(host: str, port: int, timeout: float) -> Stream:
    """The default Dial: TCP by Happy Eyeballs."""
    return await connect(host, port, timeout=timeout)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `host` is for errors; names of headers are in lower case; `reason` is what the server calls it."""

    host: str
    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)  # it may hold secrets

    def header(self, name: str) -> str:
        """Return the first header of a name, "" if there is none."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name.lower().encode()), "")

    @property
    def redirection(self) -> WebRequestFailed | None:
        """The error for an answer that redirects elsewhere; None for any other."""
        target = self.header("location")
        if not 300 <= self.status < 400 or not target:
            return None
        origin = _ORIGIN.match(target)
        where = f"to {origin[0]}" if origin else "to another page"
        return WebRequestFailed(f"{self.host} redirects {where}, which is not followed")


@dataclass(frozen=True, slots=True)
class _Address:
    """The parts of a web address."""

    secure: bool
    host: str  # in ASCII, an IPv6 address without brackets
    port: int
    target: str  # path and query

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises WebRequestFailed for what is no web address, and for one without TLS to another machine."""
        try:
            parts = urlsplit(url)
            host, port = ascii_host(parts.hostname or ""), parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError, InvalidHostName):
            host, port = "", 0
        if not host:
            raise WebRequestFailed(f"{visible(url, 200)} is not a web address")
        if parts.scheme == "http" and not is_loopback(host):
            raise WebRequestFailed(f"{visible(url, 200)} is not encrypted; nothing was sent")
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme == "https", host, port, f"{parts.path or '/'}{query}")

    @property
    def shown(self) -> str:
        """The host, with a port that is not the usual one."""
        usual = self.port == _PORTS["https" if self.secure else "http"]
        return with_port(self.host, 0).removesuffix(":0") if usual else with_port(self.host, self.port)


async def request(
    method: str,
    url: str,
    headers: Headers = (),
    body: bytes = b"",
    *,
    timeout: float,
    limit: int,
    dial: Dial = dial_tcp,
    contexts: TlsContexts | None = None,
) -> Response:
    """Send a request and return the answer, whatever its status.

    Connecting, and what follows, may take `timeout` seconds each; the answer's body has at most `limit` octets. Raises
    ServerUnreachable, TlsFailed, ConnectionCut, WebServerSilent, and WebRequestFailed for what is no HTTP.
    """
    address = _Address.of(url)
    stream = await dial(address.host, address.port, timeout)
    try:
        with trio.move_on_after(timeout):
            if address.secure:
                await stream.start_tls(TlsSession(TlsPolicy(), address.host, contexts=contexts))
            return await _exchange(stream, address, method, headers, body, limit)
        raise WebServerSilent(f"{address.shown} has not answered within {timeout:g} s")
    finally:
        stream.close()


async def _exchange(
    stream: Stream, address: _Address, method: str, headers: Headers, body: bytes, limit: int
) -> Response:
    connection = h11.Connection(h11.CLIENT)
    lines = [("Host", address.shown), *headers, ("Connection", "close")]
    if body:
        lines.append(("Content-Length", str(len(body))))
    events = [h11.Request(method=method, target=address.target, headers=lines), h11.EndOfMessage()]
    if body:
        events.insert(1, h11.Data(data=body))
    await stream.send_all(b"".join(connection.send(event) or b"" for event in events))
    head, received, ended = None, bytearray(), False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as problem:
            if ended:
                raise ConnectionCut(f"{address.shown} ended the connection before its answer was complete") from problem
            reason = str(problem).partition(": ")[0]  # what h11 quotes may repeat secrets of the request
            raise WebRequestFailed(f"{address.shown} does not speak HTTP: {visible(reason, 200)}") from None
        if event is h11.NEED_DATA:
            data = await stream.receive()
            ended = not data
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            received += event.data
            if len(received) > limit:
                raise WebRequestFailed(f"{address.shown} sends more than {limit} octets")
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            reason = visible(head.reason.decode("latin-1"), 100)
            return Response(address.shown, head.status_code, reason, tuple(head.headers), bytes(received))


async def get(host: str, path: str, *, timeout: float, limit: int, dial: Dial = dial_tcp) -> bytes:
    """Return the document at https://HOST/PATH. Raises as request(), and WebRequestFailed if there is none."""
    accept = [("Accept", "text/xml, application/xml")]
    response = await request("GET", f"https://{host}{path}", accept, timeout=timeout, limit=limit, dial=dial)
    if response.status == _OK:
        return response.body
    if (redirection := response.redirection) is not None:
        raise redirection
    raise WebRequestFailed(f"{host} has no such document ({response.status} {response.reason})".replace(" )", ")"))
