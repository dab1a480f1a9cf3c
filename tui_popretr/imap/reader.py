"""Cuts what a server sends into responses: lines, with literals in them (RFC 9051 §4.3)."""

from __future__ import annotations

import re

from tui_popretr.imap.errors import RemoteProtocolError

#: Limits: octets of a line, and of a response with its literals.
MAX_LINE = 64 * 1024
MAX_RESPONSE = 1024 * 1024

_LITERAL = re.compile(rb"~?\{([0-9]{1,20})\}\Z")
_FETCH = re.compile(rb"\* [0-9]+ FETCH ", re.IGNORECASE)
_STATUS = re.compile(rb"[^ ]+ (?:OK|NO|BAD|BYE|PREAUTH)(?: |\Z)|\+(?: |\Z)", re.IGNORECASE)


class ResponseReader:
    """Collects one response after the other. The only responses with literals are those to FETCH: others end in errors.

    A text of a status may end like a literal; it is none.
    """

    __slots__ = ("_due", "_octets", "_parts", "_pieces")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # text, literal, text, ...
        self._octets = 0  # of the parts
        self._due: int | None = None  # octets of the literal that are missing
        self._pieces: list[bytes] = []  # of the literal

    @property
    def buffered(self) -> int:
        """How many octets of an incomplete response are held."""
        return self._octets

    def take(self, buffer: bytes, at: int) -> tuple[int, list[bytes] | None]:
        """Read on; return how far the buffer is used up, and the parts of a response if one is complete.

        The buffer must be whole lines, but for literals: an incomplete line is not used up. Raises RemoteProtocolError.
        """
        if self._due is not None:
            return self._take_literal(self._due, buffer, at), None
        end = buffer.find(b"\n", at, at + MAX_LINE)
        if end < 0:
            if len(buffer) - at >= MAX_LINE:
                raise RemoteProtocolError("sent an endless line")
            return at, None
        text = buffer[at:end].removesuffix(b"\r")
        self._add(len(text))
        first = self._parts[0] if self._parts else text
        literal = None if not self._parts and _STATUS.match(text) else _LITERAL.search(text)
        if literal is None:
            parts, self._parts, self._octets = [*self._parts, text], [], 0
            return end + 1, parts
        if not _FETCH.match(first):
            raise RemoteProtocolError("sent a literal where none is expected")
        size = int(literal[1])
        if self._octets + size > MAX_RESPONSE:
            raise RemoteProtocolError(f"sent a literal of {size} octets")
        self._parts.append(text[: literal.start()])
        self._due = size
        return self._take_literal(size, buffer, end + 1), None

    def _take_literal(self, due: int, buffer: bytes, at: int) -> int:
        piece = buffer[at : at + due]
        self._pieces.append(piece)
        self._add(len(piece))
        self._due = due - len(piece)
        if not self._due:
            self._parts.append(b"".join(self._pieces))
            self._pieces, self._due = [], None
        return at + len(piece)

    def _add(self, octets: int) -> None:
        self._octets += octets
        if self._octets > MAX_RESPONSE:
            raise RemoteProtocolError(f"sent an answer of more than {MAX_RESPONSE // 1024} KiB")
