"""Requests to web servers (RFC 9110), bounded in time and size: a single one, or several on one connection.

The certificate is verified with the system's trust store. Without TLS, a request goes to this machine only. A
redirection is not followed: the caller has decided which host gets the request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

import trio

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ConnectionCut, WebRequestFailed, WebServerSilent
from tui_popretr.hosts import InvalidHostName, ascii_host, is_loopback, with_port
from tui_popretr.net.connect import CONNECT_TIMEOUT, connect
from tui_popretr.net.exchange import Answer, Body, Exchange, Headers
from tui_popretr.net.stream import Stream
from tui_popretr.net.tls import TlsContexts, TlsSession
from tui_popretr.text import visible

_PORTS: Final = {"http": 80, "https": 443}
_OK: Final = 200
#: What is shown of a redirection: the rest may repeat secrets of the request.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.:\[\]-]{1,100}(?=[/?#]|$)", re.IGNORECASE)


#: Connects to a host at a port, within the timeout (seconds).
Dial = Callable[[str, int, float], Awaitable[Stream]]


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
    #: it came before the whole request was sent
    early: bool = False

    @classmethod
    def of(cls, host: str, answer: Answer) -> Self:
        return cls(host, answer.status, answer.reason, answer.headers, answer.body, answer.early)

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
            await _secure(stream, address, contexts)
            exchange = Exchange(stream, address.shown, keep=False)
            answer = await exchange.ask(method, address.target, headers, body, limit=limit, timeout=timeout)
            return Response.of(address.shown, answer)
        raise WebServerSilent(f"{address.shown} has not answered within {timeout:g} s")
    finally:
        stream.close()


async def _secure(stream: Stream, address: _Address, contexts: TlsContexts | None) -> None:
    if address.secure:
        await stream.start_tls(TlsSession(TlsPolicy(), address.host, contexts=contexts))


class WebConnection:
    """A connection to one web server, kept for several requests, and opened again if the server has closed it.

    For one task at a time.
    """

    def __init__(self, url: str, *, timeout: float, dial: Dial = dial_tcp, contexts: TlsContexts | None = None) -> None:
        """`url`: what all addresses begin with. Raises WebRequestFailed as request()."""
        self._address = _Address.of(url)
        self._path = self._address.target.rstrip("/")
        self._timeout = timeout
        self._dial = dial
        self._contexts = contexts
        self._exchange: Exchange | None = None

    @property
    def host(self) -> str:
        """The server's name for people."""
        return self._address.shown

    @property
    def whole(self) -> bool:
        """Whether the server may have all octets of the last request (exchange.py)."""
        return self._exchange is not None and self._exchange.whole

    async def request(
        self, method: str, path: str, headers: Headers = (), body: bytes | Body = b"", *, limit: int
    ) -> Response:
        """Send a request for a path, which begins with "/", and return the answer, whatever its status.

        The server may take the timeout for connecting, for TLS, for each piece of the body, and for the answer. If
        the server has closed a kept connection without an answer, the request is sent again over a new one, unless the
        server may have all of it and it is no GET. Raises as request(), and what the body raises.
        """
        kept = self._exchange is not None and self._exchange.usable
        try:
            return await self._ask(method, path, headers, body, limit)
        except ConnectionCut:
            exchange = self._exchange
            if exchange is None or not kept or exchange.answering or (exchange.whole and method != "GET"):
                raise
        return await self._ask(method, path, headers, body, limit)

    def close(self) -> None:
        """Close the connection; never raises. Another request opens a new one."""
        if self._exchange is not None:
            self._exchange.close()

    async def _ask(self, method: str, path: str, headers: Headers, body: bytes | Body, limit: int) -> Response:
        exchange = self._exchange
        if exchange is None or not exchange.usable:
            self.close()
            self._exchange = None
            self._exchange = exchange = await self._open()
        try:
            target = f"{self._path}{path}"
            answer = await exchange.ask(method, target, headers, body, limit=limit, timeout=self._timeout)
        except BaseException:
            exchange.close()
            raise
        return Response.of(self.host, answer)

    async def _open(self) -> Exchange:
        address, timeout = self._address, self._timeout
        stream = await self._dial(address.host, address.port, min(timeout, CONNECT_TIMEOUT))
        try:
            with trio.move_on_after(timeout):
                await _secure(stream, address, self._contexts)
                return Exchange(stream, address.shown, keep=True)
            raise WebServerSilent(f"the TLS handshake with {address.shown} took longer than {timeout:g} s")
        except BaseException:
            stream.close()
            raise


async def get(host: str, path: str, *, timeout: float, limit: int, dial: Dial = dial_tcp) -> bytes:
    """Return the document at https://HOST/PATH. Raises as request(), and WebRequestFailed if there is none."""
    accept = [("Accept", "text/xml, application/xml")]
    response = await request("GET", f"https://{host}{path}", accept, timeout=timeout, limit=limit, dial=dial)
    if response.status == _OK:
        return response.body
    if (redirection := response.redirection) is not None:
        raise redirection
    raise WebRequestFailed(f"{host} has no such document ({response.status} {response.reason})".replace(" )", ")"))
