"""Removing Delivered-To fields from a message's header: a mail server that finds its own assumes a mail loop."""

from __future__ import annotations

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_NAME: Final = b"delivered-to"
# White space before the colon is obsolete but accepted (RFC 5322 §4.5.3), up to a bound that limits what is held.
_BLANKS: Final = 64
_FIELD: Final = re.compile(_NAME + rb"[ \t]{0,%d}:" % _BLANKS, re.IGNORECASE)
_BEGINNING: Final = re.compile(_NAME + rb"[ \t]{0,%d}" % _BLANKS, re.IGNORECASE)


class DeliveredToFilter:
    """Removes the Delivered-To fields from the header of one message, chunk by chunk, in constant memory.

    A field includes its folded lines (RFC 5322 §2.2.3). The header ends with the first empty line; everything else
    is unchanged. A bare CR or LF ends a line, because in SMTP it is sent as CRLF.
    """

    __slots__ = ("_body", "_dropping", "_held", "_in_line")

    def __init__(self) -> None:
        self._body = False
        self._dropping = False  # the current field is removed
        self._in_line = False  # it is decided whether the current line is removed
        self._held = b""  # undecided: the beginning of a line, or a CR that an LF may follow

    def feed(self, chunk: bytes) -> bytes:
        """Return the next octets of the message."""
        if self._body:
            return chunk
        data, self._held = self._held + chunk, b""
        kept = []
        start = 0
        for end in _LINE_END.finditer(data):
            if end.end() == len(data) and end.group() == b"\r":
                break
            if not self._in_line:
                if end.start() == start:  # the empty line
                    self._body = True
                    kept.append(data[start:])
                    return b"".join(kept)
                self._decide(data, start)
            if not self._dropping:
                kept.append(data[start : end.end()])
            self._in_line = False
            start = end.end()
        kept.append(self._begin_line(data[start:]))
        return b"".join(kept)

    def finish(self) -> bytes:
        """Return the rest at the end of the message."""
        rest, self._held = self._held, b""
        return b"" if self._in_line and self._dropping else rest

    def _decide(self, data: bytes, start: int) -> None:
        """Decide whether the line at `start`, which is not empty, is removed."""
        if data[start] not in b" \t":  # else it belongs to the field before
            self._dropping = _FIELD.match(data, start) is not None
        self._in_line = True

    def _begin_line(self, rest: bytes) -> bytes:
        """Process a line without its end. Return the part of it that is decided and kept."""
        if not rest:
            return b""
        if not self._in_line:
            if _may_become_field(rest) or rest == b"\r":
                self._held = rest
                return b""
            self._decide(rest, 0)
        if rest.endswith(b"\r"):
            rest, self._held = rest[:-1], b"\r"
        return b"" if self._dropping else rest


def _may_become_field(beginning: bytes) -> bool:
    """Whether a line with this beginning may still be a Delivered-To field."""
    if len(beginning) <= len(_NAME):
        return _NAME.startswith(beginning.lower())
    return _BEGINNING.fullmatch(beginning) is not None
