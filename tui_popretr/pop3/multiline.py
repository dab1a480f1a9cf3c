"""The lines of a message (RFC 1939 §3): finding their end and removing dot-stuffing, as fast as a search."""

from __future__ import annotations

import re
from dataclasses import dataclass

TERMINATOR = b"\r\n.\r\n"

# What changes a chunk: a CR without LF, and CRLF with a dot after it (dot-stuffing or the end). The regex engine goes
# from CR to CR with memchr, so this costs no more than a search for the end.
_SPECIAL = re.compile(rb"\r(?!\n(?!\.))")
_BARE_CR = re.compile(rb"\r(?!\n)")

_CR, _LF, _DOT = b"\r\n."


@dataclass(slots=True)
class Piece:
    """The data taken from a buffer. The rest begins at `after`; `ended`: the data are complete."""

    data: bytes
    canonical: bool  # as BodyChunk.canonical
    after: int
    ended: bool


def take(buffer: bytes, at: int) -> Piece:
    """Take all of a message that is certain from `buffer` at `at`, after its first octets (see message.py).

    Only CR LF . CR LF ends it. A possible beginning of that (at most 4 octets) is left in the buffer.
    """
    stop = len(buffer) - _undecided(buffer, at)
    special = _SPECIAL.search(buffer, at, stop)
    if special is None:
        return Piece(buffer[at:stop], True, stop, False)
    position = special.start()
    end = buffer.find(TERMINATOR, position)
    if end == position:
        return Piece(buffer[at : end + 2], True, end + 5, True)
    ended = end >= 0
    data = buffer[at : end + 2 if ended else stop].replace(b"\r\n.", b"\r\n")
    return Piece(data, _BARE_CR.search(data) is None, end + 5 if ended else stop, ended)


def _undecided(buffer: bytes, at: int) -> int:
    """Return how many octets at the end of the buffer are the beginning of a terminator."""
    last = buffer[-1]
    if last == _CR:
        return 4 if buffer.endswith(b"\r\n.\r", at) else 1
    if last == _LF:
        return 2 if buffer.endswith(b"\r\n", at) else 0
    if last == _DOT:
        return 3 if buffer.endswith(b"\r\n.", at) else 0
    return 0
