"""Read the transcript on disk in chunks, backwards or forwards from any position, across rotations, and as it grows.

No file is read whole, and only the beginning of a line is kept: huge files and huge lines need no more memory. All
functions block on the disk; call them in a thread.
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
from tui_popretr.logs.compressed import SUFFIX, current_name, open_log
from tui_popretr.logs.items import Item, Line, Remark, SearchPattern, body, logged
from tui_popretr.logs.transcript import parse_line
from tui_popretr.text import visible

_BLOCK: Final = 65536
#: At most this number of octets of a line is read.
_KEPT: Final = 8192
_LONGEST: Final = 2048  # characters
#: At most this number of octets is read per request.
SCAN: Final = 32 * 1024 * 1024
#: At most this number of octets is read per poll of a follower; earlier lines are only counted.
CATCH_UP: Final = 1024 * 1024
#: The number of items, and of characters of each, that find() compares.
_COMPARED: Final = 8
_CHARACTERS: Final = 200
# Only the first line of a session has a date, and only there is it shown.
_UNDATED: Final = date(1, 1, 1)


class LinePosition(NamedTuple):
    """The position of a line: its file, its first octet and the octet after its newline."""

    path: str
    start: int
    end: int


@dataclass(slots=True)
class Chunk:
    """Lines in the order of the log with their positions. `reached` is the last line read, whether it matched or not.

    `complete`: the log has no lines beyond it.
    """

    lines: list[Line] = field(default_factory=list)
    positions: list[LinePosition] = field(default_factory=list)
    reached: LinePosition | None = None
    complete: bool = False


def read_line(raw: bytes) -> Line:
    """Return a line of a log file, neutralised; a Remark if it is not dialogue."""
    text = visible(raw[:_KEPT].rstrip(b"\r\n"), _LONGEST)
    parsed = parse_line(text)
    if parsed is None:
        return Remark(text)
    at = datetime.combine(parsed.date or _UNDATED, parsed.time)
    return DialogueLine(parsed.session, at, parsed.direction, parsed.text)


class TranscriptFiles:
    """A log of several files. `files` lists them, oldest first, and is called each time. No method raises OSError."""

    def __init__(self, files: Callable[[], list[str]]) -> None:
        self._files = files

    def exists(self) -> bool:
        """Return whether the log has a file. Fast."""
        return bool(self._files())

    def has_dialogue(self) -> bool:
        """Return whether the log has more than banners. Slow only if it does not."""
        return any(isinstance(read_line(raw), DialogueLine) for _, raw in self._backward(None))

    def find(self, items: Sequence[Item], client: str | None = None) -> LinePosition | None:
        """Return the position of the first of `items`, which are consecutive (in the dialogue of `client`).

        The last such position is returned; None if the last SCAN octets have none.
        """
        wanted = [_comparable(logged(item)) for item in items[:_COMPARED]]
        if not wanted:
            return None
        last: deque[tuple[str, LinePosition]] = deque(maxlen=len(wanted))
        budget = SCAN
        for position, raw in self._backward(None):
            budget -= position.end - position.start
            if budget < 0:
                break
            if _is_of(raw, client):
                last.appendleft((_comparable(visible(raw.rstrip(b"\r\n"), _LONGEST)), position))
                if last[0][0] == wanted[0] and [text for text, _ in last] == wanted:
                    return position
        return None

    def before(
        self, position: LinePosition | None, count: int, client: str | None = None, needle: SearchPattern | None = None
    ) -> Chunk:
        """Return at most `count` lines (of a client, or of all) before a position, or before the end of the log.

        With `needle`: only lines whose body contains it.
        """
        chunk = Chunk(complete=True)
        wanted = None if needle is None else _finder(needle)
        budget = SCAN
        for found, raw in self._backward(position):
            if len(chunk.lines) == count or budget < 0:
                chunk.complete = False
                break
            budget -= found.end - found.start
            chunk.reached = found
            if not _is_of(raw, client) or (wanted is not None and not wanted(raw)):
                continue
            chunk.lines.append(read_line(raw))
            chunk.positions.append(found)
        chunk.lines.reverse()
        chunk.positions.reverse()
        return chunk

    def after(self, position: LinePosition | None, count: int, client: str | None = None) -> Chunk:
        """Return at most `count` lines (of a client, or of all) after a position, or from the beginning."""
        chunk = Chunk(complete=True)
        budget = SCAN
        for found, raw in self._forward(position):
            if len(chunk.lines) == count or budget < 0:
                chunk.complete = False
                break
            budget -= found.end - found.start
            chunk.reached = found
            if _is_of(raw, client):
                chunk.lines.append(read_line(raw))
                chunk.positions.append(found)
        return chunk

    def _backward(self, position: LinePosition | None) -> Iterator[tuple[LinePosition, bytes]]:
        files = self._files()
        end: int | None = None
        if position is not None:
            name = current_name(position.path, files)
            files = files[: files.index(name) + 1] if name in files else []
            end = position.start
        for path in reversed(files):
            yield from lines_before(path, end)
            end = None

    def _forward(self, position: LinePosition | None) -> Iterator[tuple[LinePosition, bytes]]:
        files = self._files()
        start = 0
        if position is not None:
            name = current_name(position.path, files)
            files = files[files.index(name) :] if name in files else []
            start = position.end
        for path in files:
            yield from lines_after(path, start)
            start = 0


def lines_before(path: str, end: int | None = None) -> Iterator[tuple[LinePosition, bytes]]:
    """Yield the lines of a file up to octet `end` (None: the end of the file), backwards.

    A long line is cut. A file that cannot be read has no more lines.
    """
    with suppress(OSError), open_log(path) as file:
        if end is None:
            end = file.seek(0, os.SEEK_END)
        offset = end
        rest = b""  # the part that was read of the line that ends at `end`
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


def lines_after(path: str, start: int = 0) -> Iterator[tuple[LinePosition, bytes]]:
    """Yield the complete lines of a file from octet `start`, the beginning of a line.

    A long line is cut. A file that cannot be read has no more lines.
    """
    with suppress(OSError), open_log(path) as file:
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
    """Follows a log as it grows, through rotations."""

    def __init__(self, path: str, files: Callable[[], list[str]]) -> None:
        """Follow `path` from its present end. Raises OSError if it cannot be read."""
        self._files = files
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
        self._path = path
        self._identity = (status.st_dev, status.st_ino)
        position = next((position for position, _ in lines_before(path)), None)
        # An incomplete line is read when it is complete.
        self._offset = 0
        if position is not None:
            self._offset = position.end if _ends_line(path, position.end) else position.start

    @property
    def position(self) -> LinePosition:
        """The end of what has been read."""
        return LinePosition(self._path, self._offset, self._offset)

    def poll(self) -> tuple[list[Line], int]:
        """Return the new lines, and the number of lines before them that were skipped."""
        lines: list[Line] = []
        if self._path.endswith(SUFFIX):  # it grows no more
            return lines, 0
        try:
            status = os.stat(self._path)
        except OSError:
            return lines, 0  # renamed, and the next file does not exist yet
        if (status.st_dev, status.st_ino) != self._identity or status.st_size < self._offset:
            self._identity = (status.st_dev, status.st_ino)
            self._offset = 0
            lines.append(Remark(f"# {visible(self._path)} starts again"))
        dropped = 0
        if status.st_size - self._offset > CATCH_UP:
            dropped = self._skip(status.st_size - CATCH_UP)
        for position, raw in lines_after(self._path, self._offset):
            lines.append(read_line(raw))
            self._offset = position.end
        if not lines and not dropped:
            self._next_file()
        return lines, dropped

    def _skip(self, least: int) -> int:
        """Go to the first line that begins after octet `least`; return the number of skipped lines."""
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

    def _next_file(self) -> None:
        files = self._files()
        if self._path in files[:-1]:
            path = files[files.index(self._path) + 1]
            with suppress(OSError):
                status = os.stat(path)
                self._path, self._identity, self._offset = path, (status.st_dev, status.st_ino), 0


def _ends_line(path: str, end: int) -> bool:
    with suppress(OSError), open_log(path) as file:
        return os.pread(file.fileno(), 1, end - 1) == b"\n"
    return False


def _is_of(raw: bytes, client: str | None) -> bool:
    if client is None:
        return True
    client = visible(client)  # as in the log
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
