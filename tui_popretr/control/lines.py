"""Divides the octets of a connection into lines of at most MAX_LINE octets. Pure."""

from __future__ import annotations

from tui_popretr.control.codec import InvalidMessageError
from tui_popretr.control.messages import MAX_LINE


class LineBuffer:
    """Octets that have arrived, until they are taken as lines."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._searched = 0

    def add(self, octets: bytes) -> None:
        """Add what has arrived."""
        self._octets += octets

    def end(self) -> None:
        """The other side sends nothing more. Raises InvalidMessageError if its last line has no end."""
        if self._octets:
            raise InvalidMessageError("the last line has no end")

    def next(self) -> bytes | None:
        """Return the next line with its end; None before it has arrived. Raises InvalidMessageError for a long one."""
        end = self._octets.find(b"\n", self._searched)
        if (len(self._octets) if end < 0 else end) >= MAX_LINE:
            raise InvalidMessageError(f"a line is longer than {MAX_LINE} octets")
        if end < 0:
            self._searched = len(self._octets)
            return None
        line = bytes(self._octets[: end + 1])
        del self._octets[: end + 1]
        self._searched = 0
        return line
