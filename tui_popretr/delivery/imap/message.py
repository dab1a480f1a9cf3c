"""A message for an IMAP server: all line ends are CRLF, and its header says when it arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.spool import Spool
from tui_popretr.delivery.threads import next_piece
from tui_popretr.mail.arrival import arrival_date
from tui_popretr.mail.identity import HEADER_LIMIT
from tui_popretr.mail.line_ends import CrlfConverter


class ImapMessage(OutgoingMessage):
    """One message that is being received, and then appended. An empty message becomes an empty line."""

    __slots__ = ("_header", "_own_received", "nul")

    def __init__(self, record_id: int, description: str, content: Spool, *, own_received: bool) -> None:
        """`own_received`: it begins with our own Received field, unless it has no header."""
        super().__init__(record_id, description, content, converter=CrlfConverter())
        #: It has NUL, which only a literal8 can have (RFC 3516).
        self.nul = False
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

    def finish(self) -> None:
        super().finish()
        if not self.content.octets:
            self._add(b"\r\n")

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the message in pieces. A file is read in a thread. Raises DeliveryFailed."""
        pieces = self.content.pieces()
        if not self.content.in_file:
            for piece in pieces:
                yield piece
            return
        while piece := await next_piece(pieces):
            yield piece

    def _add(self, data: bytes) -> None:
        if not data:
            return
        if len(self._header) < HEADER_LIMIT:
            self._header += data[: HEADER_LIMIT - len(self._header)]
        self.nul = self.nul or b"\0" in data
        super()._add(data)
