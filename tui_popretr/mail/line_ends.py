"""Line ends of a message on its way to the destination: LF for Maildir readers, or CRLF as received."""

from __future__ import annotations

from tui_popretr.config.choices import Eol


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
