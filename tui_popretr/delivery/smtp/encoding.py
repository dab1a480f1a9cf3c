"""A message made fit for DATA: CRLF line ends and nothing else that could pass for one, dots doubled."""

from __future__ import annotations

import re
from typing import Final

#: Behind the message: the line that ends it (RFC 5321 §4.1.1.4).
END: Final = b".\r\n"

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class DataEncoder:
    """Encodes one message, chunk by chunk, in constant memory.

    A CR or LF on its own becomes CRLF: to some servers `LF . LF` or `CR . CR` ends a message, and what a sender put
    behind it would be a second message that nobody checked.
    """

    __slots__ = ("_at_line_start", "_empty", "_held")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held = False  # a CR at a chunk's end: whether an LF follows is not known yet
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
        """Return what is still to be sent before END: its line has to begin a line, also in a message of no octets."""
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
