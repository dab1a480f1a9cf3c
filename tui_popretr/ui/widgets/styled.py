"""Text with styles for rows that are drawn by line. Without state.

Four colours have a meaning, and a theme may replace each by a colour of its own (shell/themes.py): cyan is the accent,
for what is active; green for what has just succeeded; yellow for warnings; red for failures.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

PLAIN: Final = Style.null()
BOLD: Final = Style(bold=True)
DIM: Final = Style(dim=True)
ACCENT: Final = Style(color="cyan")
ACTIVE: Final = Style(color="cyan", bold=True)
GOOD: Final = Style(color="green")
WARN: Final = Style(color="yellow")
BAD: Final = Style(color="red", bold=True)
#: The titles of columns.
TITLE: Final = Style(bold=True)
REVERSE: Final = Style(reverse=True)


class Cell(NamedTuple):
    """What a column of a row shows."""

    text: str
    style: Style = PLAIN


def segments(cells: Iterable[Cell], width: int, base: Style, row: Style | None = None) -> list[Segment]:
    """Return cells as segments, padded to `width` cells in all.

    `row` is the style of the whole row, for example its background: a cell keeps its own colour on it. Neighbours of
    one style become one segment, because each change of style costs octets on the line to the terminal. Blank cells
    join any neighbour, unless they would show its colour.
    """
    joined: list[Cell] = []
    used = 0
    for cell in cells:
        used += cell_len(cell.text)
        _join(joined, cell, row)
    if used < width:
        _join(joined, Cell(" " * (width - used)), row)
    return [Segment(cell.text, _combined(base, cell.style, row)) for cell in joined if cell.text]


def _join(joined: list[Cell], cell: Cell, row: Style | None) -> None:
    """Append a cell, or join it with the last one."""
    if joined:
        last = joined[-1]
        blank = not cell.style and not cell.text.strip() and not last.style.reverse and not (row and row.reverse)
        if blank or last.style is cell.style:
            joined[-1] = Cell(last.text + cell.text, last.style)
            return
    joined.append(cell)


def line(cells: Iterable[Cell], width: int, base: Style) -> Strip:
    """Return the only line of a widget, exactly `width` cells wide: cells beyond that are cut."""
    return Strip(segments(cells, width, base)).adjust_cell_length(width)


def based(strip: Strip, base: Style) -> Strip:
    """Return a strip in the colours of its widget, as far as it has none of its own."""
    return strip if _is_own(base) else strip.apply_style(base)


@lru_cache(maxsize=512)
def _combined(base: Style, style: Style, row: Style | None) -> Style | None:
    """Return a style on its base; None where that is the terminal's own style, which needs no escape sequence."""
    if _is_own(base):
        base = PLAIN
    combined = base + style if row is None else base + row + style
    return combined or None


def _is_own(style: Style) -> bool:
    colours = (style.color, style.bgcolor)
    return all(each is None or each.is_default for each in colours) and not (style.bold or style.dim or style.reverse)
