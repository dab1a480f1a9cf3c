"""The transcript on disk: read in pieces from any place backwards or forwards, across rotations, and as it grows.

No file is ever read whole, and of a line only its beginning is kept, so neither huge files nor huge lines take memory.
Everything here blocks on the disk: it is called in a thread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

from tui_popretr.facts import DialogueLine
from tui_popretr.fs.reading import open_regular
from tui_popretr.logs.items import Item, Line, Remark, SearchPattern, body, logged
from tui_popretr.logs.transcript import parse_line
from tui_popretr.text import visible

_BLOCK: Final = 65536
#: Octets of a line that are looked at.
_KEPT: Final = 8192
_LONGEST: Final = 2048  # characters
#: Octets that one request reads at the most, whether it finds what it wants or not.
SCAN: Final = 32 * 1024 * 1024
#: Octets that a follower takes in at once; what is before them is counted.
CATCH_UP: Final = 1024 * 1024
#: Items, and characters of each, by which find() knows the place.
_COMPARED: Final = 8
_CHARACTERS: Final = 200
# Only the first line of a session tells the date, and only there is it shown.
_UNDATED: Final = date(1, 1, 1)


class LinePosition(NamedTuple):
    """Where a line stands: its file, and the octets from its first to behind its newline."""

    path: str
    start: int
    end: int


@dataclass(slots=True)
class Chunk:
    """Lines in the order of the log, each with its place. `reached` is the last line that was looked at, wanted or not.

    `complete`: there is nothing beyond it.
    """

    lines: list[Line] = field(default_factory=list)
    places: list[LinePosition] = field(default_factory=list)
    reached: LinePosition | None = None
    complete: bool = False


def read_line(raw: bytes) -> Line:
    """Return a line of a log file, neutralised; a Remark where it is no dialogue."""
    text = visible(raw[:_KEPT].rstrip(b"\r\n"), _LONGEST)
    parsed = parse_line(text)
    if parsed is None:
        return Remark(text)
    at = datetime.combine(parsed.date or _UNDATED, parsed.time)
    return DialogueLine(parsed.session, at, parsed.direction, parsed.text)


class TranscriptFiles:
    """A log of several files; `files` tells which, oldest first, each time anew. No method raises OSError."""

    def __init__(self, files: Callable[[], list[str]]) -> None:
        self._files = files

    def exists(self) -> bool:
        """Return whether there is any file; quickly."""
        return bool(self._files())

    def find(self, items: Sequence[Item], client: str | None = None) -> LinePosition | None:
        """Return the place of the first of `items`, which follow each other (in the dialogue of `client`).

        The place nearest to the end is meant. None where the end of the log, as far as it is looked at, has none.
        """
        wanted = [_comparable(logged(item)) for item in items[:_COMPARED]]
        if not wanted:
            return None
        last: deque[tuple[str, LinePosition]] = deque(maxlen=len(wanted))
        budget = SCAN
        for place, raw in self._backward(None):
            budget -= place.end - place.start
            if budget < 0:
                break
            if _is_of(raw, client):
                last.appendleft((_comparable(visible(raw.rstrip(b"\r\n"), _LONGEST)), place))
                if last[0][0] == wanted[0] and [text for text, _ in last] == wanted:
                    return place
        return None

    def before(
        self, place: LinePosition | None, count: int, client: str | None = None, needle: SearchPattern | None = None
    ) -> Chunk:
        """Return the `count` lines (of a client, of all with None) before a place, before the log's end with None.

        With a needle: those from the next line on that has it in its body, `count` being lines at the most.
        """
        piece = Chunk(complete=True)
        wanted = None if needle is None else _finder(needle)
        budget = SCAN
        for found, raw in self._backward(place):
            if len(piece.lines) == count or budget < 0:
                piece.complete = False
                break
            budget -= found.end - found.start
            piece.reached = found
            if not _is_of(raw, client) or (wanted is not None and not wanted(raw)):
                continue
            piece.lines.append(read_line(raw))
            piece.places.append(found)
        piece.lines.reverse()
        piece.places.reverse()
        return piece

    def after(self, place: LinePosition | None, count: int, client: str | None = None) -> Chunk:
        """Return the `count` lines (of a client, of all with None) behind a place, behind none from the beginning."""
        piece = Chunk(complete=True)
        budget = SCAN
        for found, raw in self._forward(place):
            if len(piece.lines) == count or budget < 0:
                piece.complete = False
                break
            budget -= found.end - found.start
            piece.reached = found
            if _is_of(raw, client):
                piece.lines.append(read_line(raw))
                piece.places.append(found)
        return piece

    def _backward(self, place: LinePosition | None) -> Iterator[tuple[LinePosition, bytes]]:
        files = self._files()
        end: int | None = None
        if place is not None:
            files = files[: files.index(place.path) + 1] if place.path in files else []
            end = place.start
        for path in reversed(files):
            yield from lines_before(path, end)
            end = None

    def _forward(self, place: LinePosition | None) -> Iterator[tuple[LinePosition, bytes]]:
        files = self._files()
        start = 0
        if place is not None:
            files = files[files.index(place.path) :] if place.path in files else []
            start = place.end
        for path in files:
            yield from lines_behind(path, start)
            start = 0


def lines_before(path: str, end: int | None = None) -> Iterator[tuple[LinePosition, bytes]]:
    """Yield the lines of a file that end at octet `end` (None: the file's last) or before, backwards.

    Of a long line only the beginning is given. A file that cannot be read has no more lines.
    """
    with suppress(OSError), open_regular(path) as file:
        if end is None:
            end = file.seek(0, os.SEEK_END)
        offset = end
        rest = b""  # the beginning of the line that ends at `end`, as far as it is read
        while offset > 0:
            size = min(_BLOCK, offset)
            offset -= size
            block = os.pread(file.fileno(), size, offset)
            if len(block) < size:
                return
            # The newline that ends the line is not the one that ended the line before it.
            while (newline := block.rfind(b"\n", 0, min(len(block), end - 1 - offset))) >= 0:
                start = offset + newline + 1
                yield LinePosition(path, start, end), (block[newline + 1 :] + rest)[:_KEPT]
                rest = b""
                block = block[: newline + 1]
                end = start
            rest = (block + rest)[:_KEPT]
        if end > 0:
            yield LinePosition(path, 0, end), rest


def lines_behind(path: str, start: int = 0) -> Iterator[tuple[LinePosition, bytes]]:
    """Yield the lines of a file from octet `start` on, where a line begins; the last only if its newline is there.

    Of a long line only the beginning is given. A file that cannot be read has no more lines.
    """
    with suppress(OSError), open_regular(path) as file:
        offset = start
        rest = b""
        while block := os.pread(file.fileno(), _BLOCK, offset):
            at = 0
            while (newline := block.find(b"\n", at)) >= 0:
                end = offset + newline + 1
                yield LinePosition(path, start, end), (rest + block[at : min(newline + 1, at + _KEPT)])[:_KEPT]
                rest = b""
                start = end
                at = newline + 1
            rest = (rest + block[at : at + _KEPT])[:_KEPT]
            offset += len(block)


class Follower:
    """The end of a log as it grows: its newest file, and the rotations that follow it."""

    def __init__(self, path: str, files: Callable[[], list[str]]) -> None:
        """Follow `path` from its present end on. Raises OSError where it cannot be read."""
        self._files = files
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
        self._path = path
        self._identity = (status.st_dev, status.st_ino)
        place = next((place for place, _ in lines_before(path)), None)
        # A line that is not ended is taken when it is.
        self._offset = 0
        if place is not None:
            self._offset = place.end if _ends_line(path, place.end) else place.start

    @property
    def place(self) -> LinePosition:
        """What has been read ends here."""
        return LinePosition(self._path, self._offset, self._offset)

    def poll(self) -> tuple[list[Line], int]:
        """Return the lines that have come since, and how many before them were too many to be taken in."""
        lines: list[Line] = []
        try:
            status = os.stat(self._path)
        except OSError:
            return lines, 0  # renamed away: its successor is not there yet
        if (status.st_dev, status.st_ino) != self._identity or status.st_size < self._offset:
            self._identity = (status.st_dev, status.st_ino)
            self._offset = 0
            lines.append(Remark(f"# {visible(self._path)} begins anew"))
        dropped = 0
        if status.st_size - self._offset > CATCH_UP:
            dropped = self._skip(status.st_size - CATCH_UP)
        for place, raw in lines_behind(self._path, self._offset):
            lines.append(read_line(raw))
            self._offset = place.end
        if not lines and not dropped:
            self._turn()
        return lines, dropped

    def _skip(self, least: int) -> int:
        """Go on to the first line that begins behind octet `least`; return how many lines are passed over."""
        count = 0
        with suppress(OSError), open_regular(self._path) as file:
            offset = self._offset
            while block := os.pread(file.fileno(), _BLOCK, offset):
                inside = least - offset
                if inside < len(block) and (newline := block.find(b"\n", max(inside, 0))) >= 0:
                    self._offset = offset + newline + 1
                    return count + block.count(b"\n", 0, newline + 1)
                count += block.count(b"\n")
                offset += len(block)
        return 0

    def _turn(self) -> None:
        files = self._files()
        if self._path in files[:-1]:
            path = files[files.index(self._path) + 1]
            with suppress(OSError):
                status = os.stat(path)
                self._path, self._identity, self._offset = path, (status.st_dev, status.st_ino), 0


def _ends_line(path: str, end: int) -> bool:
    with suppress(OSError), open_regular(path) as file:
        return os.pread(file.fileno(), 1, end - 1) == b"\n"
    return False


def _is_of(raw: bytes, client: str | None) -> bool:
    if client is None:
        return True
    client = visible(client)  # as the log has it
    if not raw.startswith(f"{client}-".encode()):
        return False
    line = read_line(raw)
    return isinstance(line, DialogueLine) and line.session.client == client


def _finder(needle: SearchPattern) -> Callable[[bytes], bool]:
    pattern = needle.octets()

    def finds(raw: bytes) -> bool:
        return pattern.search(raw) is not None and needle.is_in(body(read_line(raw)))

    return finds


def _comparable(text: str) -> str:
    return text[:_CHARACTERS]
