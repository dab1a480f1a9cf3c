"""How the server answers: status lines with response codes, rows, and message bodies that are streamed."""

from __future__ import annotations

from collections.abc import Iterable

from tui_popretr.popserver.channel import Channel
from tui_popretr.popserver.multiline import CRLF, dot_stuffed
from tui_popretr.popserver.tally import ServerCounters


class Refused(Exception):
    """A command gets -ERR. The code is a response code of RFC 2449 §8 or RFC 3206, without brackets."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


class Replies:
    """Writes the replies of one connection. All methods raise Disconnected when the client is gone."""

    def __init__(self, channel: Channel, tally: ServerCounters, number: int, *, resp_codes: bool) -> None:
        self._channel = channel
        self._tally = tally
        self._number = number
        self._resp_codes = resp_codes

    async def status(self, text: str) -> None:
        """Answer with one line."""
        line = text.encode("utf-8", "surrogateescape")
        self._tally.said(self._number, "S", line)
        await self._channel.write(line + CRLF)

    async def refuse(self, refused: Refused) -> None:
        """Answer -ERR, with the response code where the policy has them."""
        code = f"[{refused.code}] " if refused.code and self._resp_codes else ""
        await self.status(f"-ERR {code}{refused}")

    async def rows(self, status: str, rows: Iterable[str]) -> None:
        """Answer with a status line and a listing."""
        listing = "".join(f"{row}\r\n" for row in rows).encode("utf-8", "surrogateescape")
        await self.body(status, dot_stuffed((listing,)))

    async def body(self, status: str, wire: Iterable[bytes]) -> None:
        """Answer with a status line and octets that are already stuffed and terminated."""
        await self.status(status)
        for piece in wire:
            await self._channel.write(piece)

    async def raw(self, octets: bytes) -> None:
        """Answer with octets that need not be a reply at all."""
        self._tally.said(self._number, "S", octets)
        await self._channel.write(octets)
