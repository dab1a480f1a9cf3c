"""Rows of the transcript as strips: time stamp, session, a glyph for the direction, and the text. Without state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.logs.items import Item, SearchPattern, body, is_error
from tui_popretr.logs.timestamps import time_of_day
from tui_popretr.ui.model.cells import MARK, cut, height, is_right_to_left, sanitize, width, wrapped
from tui_popretr.ui.model.line_index import Measure, one_row
from tui_popretr.ui.widgets.styled import ACCENT, ACTIVE, BAD, BOLD, DIM, PLAIN

#: The column of the cursor's mark.
GUTTER: Final = 1
_LEAST_TEXT: Final = 12
_WIDE: Final = 60

# Every segment below has a style, if only PLAIN: Textual's filters, that of NO_COLOR among them, need one.
_LABEL: Final = DIM
_FOUND: Final = Style(reverse=True)
_CURRENT: Final = Style(reverse=True, bold=True, underline=True)
_SELECTED: Final = Style(reverse=True)

#: By direction: the glyph, its style, and that of the text.
_LOOKS: Final = {
    Direction.IN: ("←", PLAIN, PLAIN),
    Direction.OUT: ("→", ACTIVE, ACCENT),
    Direction.EVENT: ("·", DIM, DIM),
    Direction.OPENED: ("──", BOLD, BOLD),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The parts of a row of `width` cells. `label` is the width of the session's name; 0: it is not shown."""

    width: int
    wrap: bool = True
    stamps: bool = True
    label: int = 0

    @property
    def stamp(self) -> int:
        """Cells of the time stamp, with milliseconds if there is room."""
        return 0 if not self.stamps else 12 if self.width >= _WIDE else 8

    def indent(self, item: Item) -> int:
        """Return the cell at which the text of an item begins."""
        if not isinstance(item, DialogueLine):
            return GUTTER
        if item.direction is Direction.OPENED:
            return GUTTER + 3
        return self._prefix

    @property
    def _prefix(self) -> int:
        stamp = self.stamp
        return GUTTER + (stamp + 1 if stamp else 0) + (self.label + 1 if self.label else 0) + 2

    def room(self, item: Item) -> int:
        """Return the cells of a row for the text of a wrapped item."""
        return max(self.width - self.indent(item), _LEAST_TEXT)

    def measure(self) -> Measure:
        """Return a function for the number of rows of an item. It is called for every line, so it is quick."""
        if not self.wrap:
            return one_row
        plain = max(self.width - self._prefix, _LEAST_TEXT)

        def rows(item: Item) -> int:
            if isinstance(item, DialogueLine) and item.direction is not Direction.OPENED:
                text = item.text
                if len(text) <= plain and text.isascii():
                    return 1
            return height(sanitize(body(item)), self.room(item))

        return rows

    def cells(self, item: Item) -> int:
        """Return the cells of an item that is not wrapped."""
        return self.indent(item) + width(sanitize(body(item)))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its strip, as wide as the view or wider; the first `characters` of it are not padding."""

    strip: Strip
    characters: int
    right_to_left: bool


def draw(
    item: Item, part: int, columns: Columns, pattern: SearchPattern | None, *, cursor: bool, selected: bool
) -> Row:
    """Return row `part` of an item."""
    text = sanitize(body(item))
    start = 0
    if columns.wrap:
        pieces = wrapped(text, columns.room(item))
        part = min(part, len(pieces) - 1)
        start = sum(len(piece) for piece in pieces[:part])
        piece = pieces[part]
    else:
        piece = text
    segments = [Segment("▌" if cursor else " ", BOLD)]
    style = DIM
    if isinstance(item, DialogueLine):
        style = _head(segments, item, columns, first=part == 0)
    spans = [] if pattern is None else pattern.spans(text)
    segments += _highlighted(piece, start, spans, style, _CURRENT if cursor else _FOUND)
    size = columns.indent(item) + width(piece)
    if isinstance(item, DialogueLine) and item.direction is Direction.OPENED and size + 2 <= columns.width:
        segments.append(Segment(" " + "─" * (columns.width - size - 1), BOLD))
        size = columns.width
    if selected:
        segments = [Segment(piece, (style or PLAIN) + _SELECTED) for piece, style, _ in segments]
    turned = is_right_to_left(piece)
    characters = sum(len(segment.text) for segment in segments)
    if size < columns.width:
        if turned:
            segments.append(Segment(MARK, PLAIN))
        segments.append(Segment(" " * (columns.width - size), PLAIN))
        size = columns.width
    return Row(Strip(segments, size), characters, turned)


def fitted(row: Row, x: int, size: int) -> Strip:
    """Return the cells x to x + size of a row."""
    strip = row.strip
    if not x and strip.cell_length == size:
        return strip
    strip = strip.crop_extend(x, x + size, PLAIN)
    return Strip([*strip, Segment(MARK, PLAIN)], size) if row.right_to_left else strip


def reversed_between(strip: Strip, start: int, end: int) -> Strip:
    """Return a strip with its characters start to end (-1: the last) shown as selected."""
    segments: list[Segment] = []
    at = 0
    for text, style, _ in strip:
        first, last = max(start - at, 0), len(text) if end < 0 else min(max(end - at, 0), len(text))
        if first < last:
            pieces = ((text[:first], style), (text[first:last], (style or PLAIN) + _SELECTED), (text[last:], style))
            segments += [Segment(piece, look) for piece, look in pieces if piece]
        else:
            segments.append(Segment(text, style))
        at += len(text)
    return Strip(segments, strip.cell_length)


def _head(segments: list[Segment], line: DialogueLine, columns: Columns, *, first: bool) -> Style:
    """Add the segments before the text of a line, and return the style of the text."""
    glyph, glyph_style, style = _LOOKS[line.direction]
    if is_error(line):
        glyph_style = style = BAD
    if not first:
        segments.append(Segment(" " * (columns.indent(line) - GUTTER), DIM))
        return style
    if line.direction is not Direction.OPENED:
        if columns.stamp:
            segments.append(Segment(f"{time_of_day(line.at)[: columns.stamp]} ", DIM))
        if columns.label:
            segments.append(Segment(f"{cut(sanitize(str(line.session)), columns.label)} ", _LABEL))
    segments.append(Segment(f"{glyph} ", glyph_style))
    return style


def _highlighted(piece: str, start: int, spans: Sequence[tuple[int, int]], style: Style, found: Style) -> list[Segment]:
    """Return a piece of a text, which begins at its character `start`, with the spans highlighted."""
    segments: list[Segment] = []
    at = 0
    for first, last in spans:
        first, last = max(first - start, 0), min(last - start, len(piece))
        if first < last:
            segments.append(Segment(piece[at:first], style))
            segments.append(Segment(piece[first:last], style + found))
            at = last
    segments.append(Segment(piece[at:], style))
    return [segment for segment in segments if segment.text]
