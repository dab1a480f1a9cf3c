"""Finding the end of one message, also from servers that end lines with LF alone.

A message ends at CR LF . CR LF (RFC 1939 §3), and an LF without CR is an ordinary octet. But some servers end all lines
with LF alone: those of the message, and perhaps that of the final dot. So while no line of a message has ended with
CRLF, LF . LF and LF . CRLF may be its end, too. Only silence after them proves it, because a server that does not
double dots may send such a line in the middle. The reader has no clock: `may_end` is set if the buffer ends like
that, and the caller calls end() after a silence.

A server that ends all lines with LF doubles dots after LF. A server that uses CRLF does not, even in a message that
begins with some bare LFs. The first CRLF or the end shows which of the two it is. Until then, text from LF and two dots
on is left in the buffer, up to HELD octets.
"""

from __future__ import annotations

import re

from tui_popretr.pop3.multiline import Piece, take

#: After this many octets from LF and two dots on without a CRLF, the server counts as one that ends all lines with LF.
HELD = 64 * 1024

_CR, _DOT = b"\r."
_UNDECIDED = re.compile(rb"(?:\n(?:\.\r?\n?)?|\r)\Z")
_ENDS = (b"\n.\n", b"\n.\r\n")
_PASSED = re.compile(rb"(?<!\r)\n\.\r?\n")


def begins_with_crlf(buffer: bytes, at: int) -> bool:
    """Whether the message's first line ends with CRLF and has no leading dot: then multiline.take() is enough."""
    feed = buffer.find(b"\n", at)
    return feed > at and buffer[feed - 1] == _CR and buffer[at] != _DOT


class MessageReader:
    """Takes one message from buffers. Octets that were not taken must begin the next buffer."""

    __slots__ = ("_bare", "_begins", "_undotted", "may_end", "passed_an_end")

    def __init__(self) -> None:
        #: Whether the message is complete if nothing follows.
        self.may_end = False
        #: Whether it could have been complete before: LF . LF, or LF . CRLF before any other CRLF, has been taken.
        self.passed_an_end = False
        self._begins = True  # nothing was taken yet
        self._bare = True  # no line has ended with CRLF
        self._undotted = False  # dots after LF were doubled

    def take(self, buffer: bytes, at: int) -> Piece:
        """Take what is certain from `buffer` at `at`, where there is at least one octet."""
        if not self._bare:
            return take(buffer, at)
        self.may_end = False
        start = at
        if self._begins and buffer[at] == _DOT:
            opening = buffer[at : at + 3]
            if opening == b".\r\n":
                return Piece(b"", True, at + 3, True)
            if opening in (b".", b".\r", b".\n"):
                self.may_end = opening == b".\n"
                return Piece(b"", True, at, False)
            at += 1
        crlf = buffer.find(b"\r\n", at)
        if crlf < 0 or (crlf + 2 == len(buffer) and buffer.startswith(b"\n.", max(at, crlf - 2))):
            piece = self._take_bare(buffer, at, crlf if crlf >= 0 else len(buffer) - 1)
        else:
            self._bare = False
            piece = self._take_up_to_crlf(buffer, at, crlf)
        self.passed_an_end |= _PASSED.search(buffer, start, piece.after) is not None
        self._begins &= piece.after == start
        return piece

    def end(self, rest: bytes) -> bytes:
        """Return the last octets of the message from `rest`, the octets that were not taken. Only while may_end."""
        return _undot(rest[: rest.rindex(b".")])

    def _take_bare(self, buffer: bytes, at: int, last: int) -> Piece:
        """Take from a buffer without a CRLF, except one after a final dot. `last`: where a CRLF may be."""
        undecided = _UNDECIDED.search(buffer, max(at, len(buffer) - 4))
        stop = len(buffer) if undecided is None else undecided.start()
        self.may_end = buffer[stop:] in _ENDS
        dots = self._find_dots(buffer, at, stop, last)
        data = _undot(buffer[at:stop]) if self._undotted else buffer[at : stop if dots < 0 else dots]
        return Piece(data, b"\r" not in data, stop if self._undotted or dots < 0 else dots, False)

    def _take_up_to_crlf(self, buffer: bytes, at: int, crlf: int) -> Piece:
        self._find_dots(buffer, at, crlf, crlf)
        if not self._undotted:
            return take(buffer, at)
        bare, piece = buffer[at:crlf], take(buffer, crlf)
        return Piece(_undot(bare) + piece.data, piece.canonical and b"\r" not in bare, piece.after, piece.ended)

    def _find_dots(self, buffer: bytes, at: int, stop: int, last: int) -> int:
        """Return the position of the first LF with two dots that must be kept, -1 if there is none."""
        dots = -1 if self._undotted else buffer.find(b"\n..", at, stop)
        self._undotted |= 0 <= dots <= last - HELD
        return dots


def _undot(data: bytes) -> bytes:
    return data.replace(b"\n..", b"\n.")
