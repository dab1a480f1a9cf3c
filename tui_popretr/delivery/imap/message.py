"""A message for an IMAP server: all line ends are CRLF, and its header says when it arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

import trio

from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.spool import Spool
from tui_popretr.mail.arrival import arrival_date
from tui_popretr.mail.identity import HEADER_LIMIT
from tui_popretr.mail.line_ends import CrlfConverter


class ImapMessage(OutgoingMessage):
    """One message that is being received, and then appended. An empty message becomes an empty line."""

    __slots__ = ("_converter", "_header", "_own_received", "nul")

    def __init__(self, record_id: int, description: str, content: Spool, *, own_received: bool) -> None:
        """`own_received`: it begins with our own Received field, unless it has no header."""
        super().__init__(record_id, description, content)
        #: It has NUL, which only a literal8 can have (RFC 3516).
        self.nul = False
        self._converter = CrlfConverter()
        self._header = b""
        self._own_received = own_received

    @property
    def arrived(self) -> datetime | None:
        """When it arrived at the server it was retrieved from; None if its header does not say. After finish()."""
        header = self._header
        if self._own_received and header.startswith(b"Received:"):
            end = 0
            while (end := header.find(b"\n", end) + 1) and header[end : end + 1] in (b" ", b"\t"):
                pass
            header = header[end:] if end else b""
        return arrival_date(header)

    def write(self, data: bytes) -> None:
        self._add_converted(self._converter.feed(data))

    def finish(self) -> None:
        self._add_converted(self._converter.finish())
        if not self.content.octets:
            self._add_converted(b"\r\n")

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the message in pieces. Raises DeliveryFailed.

        A file is read in a thread: it may not be in the system's memory any more.
        """
        pieces = self.content.pieces()
        if not self.content.in_file:
            for piece in pieces:
                yield piece
            return
        limiter = trio.CapacityLimiter(1)
        while piece := await trio.to_thread.run_sync(next, pieces, b"", abandon_on_cancel=True, limiter=limiter):
            yield piece

    def _add_converted(self, data: bytes) -> None:
        if not data:
            return
        if len(self._header) < HEADER_LIMIT:
            self._header += data[: HEADER_LIMIT - len(self._header)]
        self.nul = self.nul or b"\0" in data
        self._add(data)
