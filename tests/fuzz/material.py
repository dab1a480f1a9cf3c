"""An input taken apart: octets from its front, decisions from its end, so that neither moves the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Material:
    """What a target makes its arguments of. When the input is used up, pieces are empty and decisions the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._front = 0
        self._back = len(data)

    def __bool__(self) -> bool:
        return self._front < self._back

    def number(self, below: int) -> int:
        """Return a number from 0 to `below` - 1, of one octet."""
        if not self:
            return 0
        self._back -= 1
        return self._data[self._back] % below

    def choice(self, things: Sequence[T]) -> T:
        return things[self.number(len(things))]

    def piece(self, octets: int) -> bytes:
        """Return that many octets, fewer where there are no more."""
        start, self._front = self._front, min(self._front + octets, self._back)
        return self._data[start : self._front]

    def rest(self) -> bytes:
        """Return all octets that are left."""
        return self.piece(self._back - self._front)

    def line(self) -> bytes:
        """Return the octets up to the next NUL, which ends it."""
        end = self._data.find(b"\0", self._front, self._back)
        found = self.piece((self._back if end < 0 else end) - self._front)
        self.piece(1)
        return found

    def text(self) -> str:
        """Return a line as text; octets that are not UTF-8 are lone surrogates, as in names of files and variables."""
        return self.line().decode("utf-8", "surrogateescape")


def material(octets: bytes, decisions: Sequence[int]) -> bytes:
    """Return the input that holds these octets, and these decisions in this order."""
    return octets + bytes(reversed(decisions))
