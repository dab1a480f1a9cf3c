"""Encodes a message for DATA: all line ends become CRLF, and leading dots are doubled."""

from __future__ import annotations

import re
from typing import Final

#: The line that ends the message (RFC 5321 §4.1.1.4).
END: Final = b".\r\n"

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class DataEncoder:
    """Encodes one message, chunk by chunk, in constant memory.

    A single CR or LF becomes CRLF: some servers end a message at `LF . LF` or `CR . CR`, and would take the text after
    it as commands (SMTP smuggling).
    """

    __slots__ = ("_at_line_start", "_empty", "_held")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held = False  # a CR at a chunk's end: an LF may follow
        self._empty = True

    def feed(self, chunk: bytes) -> bytes:
        """Return the next octets to send."""
        if self._held:
            chunk = b"\r" + chunk
            self._held = False
        if chunk.endswith(b"\r"):
            chunk = chunk[:-1]
            self._held = True
        return self._encode(chunk)

    def finish(self) -> bytes:
        """Return the octets to send before END: END must begin a line, also in an empty message."""
        rest = b""
        if self._held:
            self._held = False
            rest = self._encode(b"\r")
        return rest if self._at_line_start and not self._empty else rest + b"\r\n"

    def _encode(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        self._empty = False
        if not chunk.count(b"\r\n") == chunk.count(b"\n") == chunk.count(b"\r"):
            chunk = _LINE_END.sub(b"\r\n", chunk)
        stuffed = chunk.replace(b"\r\n.", b"\r\n..")
        if self._at_line_start and chunk.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = chunk.endswith(b"\r\n")
        return stuffed
