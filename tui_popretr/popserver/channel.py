"""One connection as lines in and replies out. Replies are sent together while further commands are waiting."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import trio

from tui_popretr.popserver.multiline import CRLF, dot_stuffed

IDLE_TIMEOUT = 600.0  # seconds; RFC 1939 §3 asks for at least ten minutes
_RECEIVE_SIZE = 65536
_SEND_THRESHOLD = 65536
_HANDSHAKE_TIMEOUT = 60.0


class Disconnected(Exception):
    """The client has closed or broken the connection, or neither sent nor read for too long."""


class LineTooLong(Exception):
    """A line exceeds its limit."""


class Channel:
    """Reads command lines and writes replies over a stream.

    Written octets are buffered until a read has to wait for the client, or until 64 KiB are buffered. Every wait for
    the client is limited to `timeout` seconds. All methods that read or write raise Disconnected.
    """

    def __init__(self, stream: trio.abc.Stream, timeout: float = IDLE_TIMEOUT) -> None:
        self.stream = stream
        self.rate: float | None = None  # octets per second
        self.received = bytearray()
        self._timeout = timeout
        self._unsent: list[bytes] = []
        self._unsent_octets = 0

    @property
    def under_tls(self) -> bool:
        return isinstance(self.stream, trio.SSLStream)

    async def read_line(self, limit: int) -> bytes:
        """Return the next line without its CRLF or LF. Raises LineTooLong beyond `limit` octets."""
        searched = 0
        while (end := self.received.find(b"\n", searched, limit)) < 0:
            if len(self.received) >= limit:
                raise LineTooLong
            searched = len(self.received)
            await self.flush()
            self.received += await self._receive()
        line = bytes(self.received[:end])
        del self.received[: end + 1]
        return line.removesuffix(b"\r")

    async def reply(self, text: str) -> None:
        """Write a reply of one line."""
        await self.write(encoded(text) + CRLF)

    async def multiline(self, status: str, wire: Iterable[bytes]) -> None:
        """Write a status line and octets that are already dot-stuffed and terminated."""
        await self.reply(status)
        for piece in wire:
            await self.write(piece)

    async def listing(self, status: str, rows: Iterable[str]) -> None:
        """Write a status line and a multi-line response of these rows."""
        await self.multiline(status, dot_stuffed((encoded("".join(f"{row}\r\n" for row in rows)),)))

    async def write(self, octets: bytes) -> None:
        """Buffer octets, and send when enough are buffered."""
        self._unsent.append(octets)
        self._unsent_octets += len(octets)
        if self._unsent_octets >= _SEND_THRESHOLD:
            await self.flush()

    async def flush(self) -> None:
        """Send the buffered octets, at `rate`."""
        if not self._unsent:
            return
        octets = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_octets = 0
        if self.rate is None:
            await self._send(octets)
            return
        step = max(1, int(self.rate / 10))
        for start in range(0, len(octets), step):
            piece = octets[start : start + step]
            await self._send(piece)
            await trio.sleep(len(piece) / self.rate)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the server's side of a TLS handshake. Octets received in clear before it are discarded."""
        await self.flush()
        self.received.clear()  # RFC 2595 §4
        stream = trio.SSLStream(self.stream, context, server_side=True)
        with trio.move_on_after(min(self._timeout, _HANDSHAKE_TIMEOUT)):
            try:
                await stream.do_handshake()
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            self.stream = stream
            return
        raise Disconnected

    async def _receive(self) -> bytes:
        with trio.move_on_after(self._timeout):
            try:
                octets = await self.stream.receive_some(_RECEIVE_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            if octets:
                return bytes(octets)
        raise Disconnected

    async def _send(self, octets: bytes) -> None:
        with trio.move_on_after(self._timeout):
            try:
                await self.stream.send_all(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            return
        raise Disconnected


def encoded(text: str) -> bytes:
    """Return the octets of a text that decoded() has returned."""
    return text.encode("utf-8", "surrogateescape")


def decoded(octets: bytes) -> str:
    """Return octets from the wire as text. Octets that are not UTF-8 survive and match no name or password."""
    return octets.decode("utf-8", "surrogateescape")
