"""Multi-line data (RFC 1939 §3): finding their end, removing dot-stuffing, collecting short ones within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tui_popretr.pop3.commands import Command, List, Uidl
from tui_popretr.pop3.errors import RemoteProtocolError

TERMINATOR = b"\r\n.\r\n"
#: Octets of a listing that are kept in one piece.
_PIECE = 256 * 1024

# All that keeps a chunk from being handed on as it is: a CR without LF, and CRLF with a dot behind it (dot-stuffing or
# the end). The regex engine gets from CR to CR with memchr, so this costs no more than looking for the end alone.
_SPECIAL = re.compile(rb"\r(?!\n(?!\.))")
_BARE_CR = re.compile(rb"\r(?!\n)")

_CR, _LF, _DOT = b"\r\n."


@dataclass(slots=True)
class Piece:
    """What could be taken out of a buffer: it goes on at `after`; `ended` says that the data are complete."""

    data: bytes
    canonical: bool  # as BodyChunk.canonical
    after: int
    ended: bool


def take(buffer: bytes, at: int, first: bool) -> Piece:
    """Take all multi-line data from `buffer` at `at` that are certain; `first` while nothing of them was taken yet.

    What might yet become a terminator (at most 4 octets) is left in the buffer. Nothing but CR LF . CR LF ends the
    data, or . CR LF when it comes first.
    """
    if first and buffer[at] == _DOT:
        opening = buffer[at : at + 3]
        if opening == b".\r\n":
            return Piece(b"", True, at + 3, True)
        if opening in (b".", b".\r"):
            return Piece(b"", True, at, False)
        at += 1
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


class Collector:
    """Collects the data of a listing, and refuses what is longer than any sane one (octets include line ends).

    Bounds: CAPA 64 KiB; LIST and UIDL 12 MiB, `max_rows`, and 64 or 128 octets a row. `quote` returns the beginning of
    a row as it may be shown, of so many characters.
    """

    def __init__(self, command: Command, max_rows: int, quote: Callable[[bytes, int], str]) -> None:
        self._command = command
        self._quote = quote
        self._max_octets = 64 << 10
        self._max_rows: int | None = None
        self._overlong_row: re.Pattern[bytes] | None = None
        if isinstance(command, List | Uidl):
            self._max_octets = 12 << 20
            self._max_rows = max_rows
            self._overlong_row = _OVERLONG_LIST_ROW if isinstance(command, List) else _OVERLONG_UIDL_ROW
        self._rows = 0
        self._octets = 0
        self._pieces: list[bytes] = []  # whole rows; one buffer that grows would now and then be there twice
        # what comes behind them; a line feed in front lets the pattern for overlong rows begin with one for every row
        self._last = bytearray(b"\n")

    def __len__(self) -> int:
        return self._octets

    def add(self, data: bytes) -> None:
        """Take up more data. RemoteProtocolError when a bound is passed."""
        row_start = self._last.rfind(b"\n") if self._overlong_row else 0
        self._last += data
        self._octets += len(data)
        self._rows += data.count(b"\n")
        if self._octets > self._max_octets:
            raise self._excess(f"more than {self._max_octets} octets")
        if self._max_rows is not None and self._rows > self._max_rows:
            raise self._excess(f"more than {self._max_rows} rows")
        if self._overlong_row is not None and (row := self._overlong_row.search(self._last, row_start)):
            raise self._excess(f"an overlong row: {self._quote(row.group()[1:], 40)}")
        if len(self._last) > _PIECE and (end := self._last.rfind(b"\n")) > 0:
            self._pieces.append(bytes(memoryview(self._last)[1 : end + 1]))
            del self._last[:end]

    def finish(self) -> bytes:
        """Return all that was collected."""
        return b"".join([*self._pieces, self._last[1:]])

    def _excess(self, what: str) -> RemoteProtocolError:
        self._pieces.clear()  # the error's traceback holds us for as long as somebody holds it
        return RemoteProtocolError(f"the server's answer to {self._command.shown()} has {what}")


# one octet of the bound is the LF, which these leave out
_OVERLONG_LIST_ROW = re.compile(rb"\n[^\n]{64}")
_OVERLONG_UIDL_ROW = re.compile(rb"\n[^\n]{128}")
