"""One connection as lines in and octets out: replies are gathered while further commands are already waiting."""

from __future__ import annotations

import ssl

import trio

_RECEIVE = 65536
_GATHER = 65536
_TLS_PATIENCE = 60.0


class Disconnected(Exception):
    """The client is gone: closed, broken, silent or not reading for too long."""


class LineTooLong(Exception):
    """A line beyond its bound."""


class Channel:
    """Reads command lines and writes replies over a stream.

    What is written is held back until a read has to wait for the client, or until 64 KiB have gathered. Every wait for
    the client is bounded by `patience` seconds. All methods that read or write raise Disconnected.
    """

    def __init__(self, stream: trio.abc.Stream, patience: float) -> None:
        self.stream = stream
        self.rate: float | None = None  # octets a second
        self.pipelined = False  # whether the last line read was already there when it was asked for
        self._patience = patience
        self._received = bytearray()
        self._unsent: list[bytes] = []
        self._unsent_octets = 0

    @property
    def under_tls(self) -> bool:
        return isinstance(self.stream, trio.SSLStream)

    @property
    def certificate_name(self) -> str | None:
        """The CN of the client's certificate, verified by the TLS layer; None without one."""
        if not isinstance(self.stream, trio.SSLStream):
            return None
        certificate = self.stream.getpeercert() or {}
        names = [value for rdn in certificate.get("subject", ()) for key, value in rdn if key == "commonName"]
        return names[-1] if names else None

    @property
    def binding(self) -> bytes | None:
        """The channel binding tls-unique (RFC 5929 §3); None where there is none: in clear, and under TLS 1.3."""
        stream = self.stream
        if not isinstance(stream, trio.SSLStream) or stream.version() == "TLSv1.3":
            return None
        binding: bytes | None = stream.get_channel_binding("tls-unique")
        return binding

    @property
    def waiting(self) -> int:
        """How many octets were received and not read."""
        return len(self._received)

    def forget(self, room: int) -> None:
        """Throw away what was received and not read, but for the lines in its first `room` octets."""
        del self._received[self._received.rfind(b"\n", 0, room) + 1 :]

    async def read_line(self, bound: int) -> bytes:
        """Return the next line without its CRLF (or LF). Raises LineTooLong beyond `bound` octets."""
        self.pipelined = True
        searched = 0
        while (end := self._received.find(b"\n", searched, bound)) < 0:
            if len(self._received) >= bound:
                raise LineTooLong
            searched = len(self._received)
            self.pipelined = False
            await self.flush()
            self._received += await self._receive()
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line.removesuffix(b"\r")

    async def write(self, octets: bytes) -> None:
        """Queue octets for sending, and send when enough have gathered."""
        self._unsent.append(octets)
        self._unsent_octets += len(octets)
        if self._unsent_octets >= _GATHER:
            await self.flush()

    async def flush(self) -> None:
        """Send what is queued."""
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
        """Do the server's side of a TLS handshake; what the client sent ahead of it in clear is thrown away."""
        await self.flush()
        # RFC 2595 §4: nothing that came without protection may count as said under it
        self._received.clear()
        stream = trio.SSLStream(self.stream, context, server_side=True)
        with trio.move_on_after(min(self._patience, _TLS_PATIENCE)):
            try:
                await stream.do_handshake()
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            self.stream = stream
            return
        raise Disconnected

    async def discard(self) -> None:
        """Send what is queued, then read and ignore until the client is gone."""
        await self.flush()
        self._received.clear()
        while True:
            await self._receive()

    async def _receive(self) -> bytes:
        with trio.move_on_after(self._patience):
            try:
                octets = await self.stream.receive_some(_RECEIVE)
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            if octets:
                return bytes(octets)
        raise Disconnected

    async def _send(self, octets: bytes) -> None:
        with trio.move_on_after(self._patience):
            try:
                await self.stream.send_all(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
                raise Disconnected from error
            return
        raise Disconnected
