"""Multi-line responses (RFC 1939 §3): dot-stuffing, and the part of a message that TOP sends, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

CRLF = b"\r\n"
TERMINATOR = b".\r\n"


def dot_stuffed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a multi-line body as it is sent, with the terminator.

    A dot at the beginning of a line is doubled; a line begins after CRLF, not after a bare CR or LF. A body that does
    not end with CRLF gets one before the terminator. At most one piece is buffered.
    """
    tail = CRLF
    for piece in pieces:
        joined = tail + piece
        yield joined.replace(b"\r\n.", b"\r\n..")[len(tail) :]
        tail = joined[-2:]
    yield TERMINATOR if tail == CRLF else CRLF + TERMINATOR


def top(pieces: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """Yield the header, the empty line and the first `lines` lines of the body (RFC 1939 §7, TOP).

    Here a bare LF ends a line too, so that the header of a message without CRLF has an end.
    """
    left: int | None = None  # None: still in the header
    line = b""  # the current line's first two octets, enough to see that it is empty
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            line += piece[start : min(end, start + 2)]
            if left is not None:
                left -= 1
            elif line in (b"", b"\r"):
                left = lines
            line = b""
            start = end + 1
            if left == 0:
                yield piece[:start]
                return
        line = (line + piece[start : start + 2])[:2]
        yield piece
