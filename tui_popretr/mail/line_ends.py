"""Line ends of a message on its way to the destination: LF for Maildir readers, CRLF as received, or only CRLF."""

from __future__ import annotations

import re

from tui_popretr.config.choices import Eol

_LINE_END = re.compile(rb"\r\n|\r|\n")


class EolConverter:
    """Converts one message, chunk by chunk, in constant memory. Bare CR and bare LF stay as they were sent."""

    __slots__ = ("_held", "_native")

    def __init__(self, eol: Eol) -> None:
        self._native = eol is Eol.NATIVE
        self._held = False  # a CR at the end of a chunk, which an LF may follow

    def feed(self, chunk: bytes, canonical: bool = False) -> bytes:
        """Return the converted chunk.

        `canonical`: the caller knows that an LF follows each CR within the chunk. Removing all CRs is three times as
        fast.
        """
        if not self._native:
            return chunk
        if self._held:
            chunk = b"\r" + chunk
            self._held = False
        elif canonical:
            return chunk.replace(b"\r", b"")
        if chunk.endswith(b"\r"):
            self._held = True
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n")

    def finish(self) -> bytes:
        """Return the rest at the end of the message: a bare CR or b""."""
        held, self._held = self._held, False
        return b"\r" if held else b""


class CrlfConverter:
    """Makes each line end CRLF, in constant memory: a single CR or LF, too. So `\\r\\r\\n` becomes two line ends.

    IMAP and Gmail ask for that (RFC 5322 §2.3).
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = False  # a CR at the end of a chunk, which an LF may follow

    def feed(self, chunk: bytes) -> bytes:
        """Return the converted chunk."""
        if self._held:
            chunk = b"\r" + chunk
            self._held = False
        if chunk.endswith(b"\r"):
            chunk = chunk[:-1]
            self._held = True
        if chunk.count(b"\r\n") == chunk.count(b"\n") == chunk.count(b"\r"):
            return chunk
        return _LINE_END.sub(b"\r\n", chunk)

    def finish(self) -> bytes:
        """Return the rest at the end of the message: a line end or b""."""
        held, self._held = self._held, False
        return b"\r\n" if held else b""
