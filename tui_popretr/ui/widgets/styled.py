"""Text with styles for rows that are drawn by line. Without state."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

PLAIN: Final = Style.null()
BOLD: Final = Style(bold=True)
DIM: Final = Style(dim=True)
GOOD: Final = Style(color="green")
WARN: Final = Style(color="yellow")
BAD: Final = Style(color="red", bold=True)
TITLE: Final = Style(bold=True, underline=True)
_REVERSE: Final = Style(reverse=True)


class Cell(NamedTuple):
    """What a column of a row shows."""

    text: str
    style: Style = PLAIN


def segments(cells: Iterable[Cell], width: int, base: Style, *, reverse: bool = False) -> list[Segment]:
    """Return cells as segments, padded to `width` cells in all.

    Neighbours of one style become one segment, because each change of style costs octets on the line to the terminal.
    Blank cells join any neighbour, unless they would show its colour.
    """
    joined: list[Cell] = []
    used = 0
    for cell in cells:
        used += cell_len(cell.text)
        last = joined[-1] if joined else None
        if last is not None and (
            last.style is cell.style or (_is_blank(cell) and not reverse and not last.style.underline)
        ):
            joined[-1] = Cell(last.text + cell.text, last.style)
        else:
            joined.append(cell)
    if joined:
        joined[-1] = Cell(joined[-1].text + " " * (width - used), joined[-1].style)
    else:
        joined.append(Cell(" " * width))
    return [Segment(cell.text, _combined(base, cell.style, reverse)) for cell in joined if cell.text]


def _is_blank(cell: Cell) -> bool:
    return not cell.style and not cell.text.strip()


@lru_cache(maxsize=256)
def _combined(base: Style, style: Style, reverse: bool) -> Style | None:
    """Return a style on its base; None where that is the terminal's own style, which needs no escape sequence."""
    if _is_own(base):
        base = PLAIN
    combined = base + style + _REVERSE if reverse else base + style
    return combined or None


def _is_own(style: Style) -> bool:
    colours = (style.color, style.bgcolor)
    return all(each is None or each.is_default for each in colours) and not (style.bold or style.dim or style.reverse)
