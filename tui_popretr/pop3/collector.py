"""Collecting the rows of CAPA, LIST and UIDL within bounds. Rows, and the final dot, may end with LF alone."""

from __future__ import annotations

import re
from collections.abc import Callable

from tui_popretr.pop3.commands import Command, List, Uidl
from tui_popretr.pop3.errors import RemoteProtocolError

#: Octets of a row of LIST or UIDL, line end included. An overlong unique-id affects one message only, so this is far
#: above the longest usable one; it rejects a listing without line ends.
MAX_ROW = 8192
#: Octets of a listing that are kept in one piece.
_PIECE = 256 * 1024

_DOT = ord(".")
_END = re.compile(rb"\n\.\r?\n")
_UNDECIDED = re.compile(rb"\n(?:\.\r?)?\Z")
# The bound includes the LF, the pattern does not.
_OVERLONG = re.compile(rb"\n[^\n]{%d}" % MAX_ROW)


class Collector:
    """Collects a listing, and rejects one that exceeds the bounds (octets include line ends).

    Bounds: CAPA 64 KiB; LIST and UIDL 12 MiB, `max_rows`, and MAX_ROW octets a row. `quote` returns the beginning of
    a row in a form that is safe to show, with at most the given number of characters.
    """

    def __init__(self, command: Command, max_rows: int, quote: Callable[[bytes, int], str]) -> None:
        self._command = command
        self._quote = quote
        counted = isinstance(command, List | Uidl)
        self._max_octets = 12 << 20 if counted else 64 << 10
        self._max_rows = max_rows if counted else None
        self._begins = True  # nothing was taken yet
        self._rows = 0
        self._octets = 0
        self._pieces: list[bytes] = []  # whole rows; a buffer that grows is sometimes copied
        # The octets after them, with a line feed in front for the pattern of overlong rows.
        self._last = bytearray(b"\n")

    def __len__(self) -> int:
        return self._octets

    def take(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Take what is certain from `buffer` at `at`; return where it ends and whether the listing is complete.

        Raises RemoteProtocolError if a bound is exceeded.
        """
        if self._begins and buffer[at] == _DOT:
            opening = buffer[at : at + 3]
            if opening == b".\r\n" or opening.startswith(b".\n"):
                return at + opening.index(b"\n") + 1, True
            if opening in (b".", b".\r"):
                return at, False
            at += 1
            self._begins = False
        end = _END.search(buffer, at)
        if end is None:
            undecided = _UNDECIDED.search(buffer, max(at, len(buffer) - 3))
            stop = after = len(buffer) if undecided is None else undecided.start()
        else:
            stop, after = end.start() + 1, end.end()
        if stop > at:
            self._begins = False
            self._add(buffer[at:stop].replace(b"\n.", b"\n"))
        return after, end is not None

    def finish(self) -> bytes:
        """Return the whole listing."""
        return b"".join([*self._pieces, self._last[1:]])

    def _add(self, data: bytes) -> None:
        row_start = self._last.rfind(b"\n")
        self._last += data
        self._octets += len(data)
        self._rows += data.count(b"\n")
        if self._octets > self._max_octets:
            raise self._excess(f"more than {self._max_octets} octets")
        if self._max_rows is not None:
            if self._rows > self._max_rows:
                raise self._excess(f"more than {self._max_rows} rows")
            if row := _OVERLONG.search(self._last, row_start):
                raise self._excess(f"an overlong row: {self._quote(row.group()[1:], 40)}")
        if len(self._last) > _PIECE and (end := self._last.rfind(b"\n")) > 0:
            self._pieces.append(bytes(memoryview(self._last)[1 : end + 1]))
            del self._last[:end]

    def _excess(self, what: str) -> RemoteProtocolError:
        self._pieces.clear()  # the error's traceback keeps a reference to this object
        return RemoteProtocolError(f"the server's answer to {self._command.shown()} has {what}")
