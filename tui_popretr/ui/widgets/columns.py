"""Which columns of a table fit into its width, and how wide they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rich.style import Style

from tui_popretr.ui.model.cells import MARK, cut, is_right_to_left, sanitize, width

#: The mark of the row under the cursor.
GUTTER: Final = 1
_GAP: Final = 1
PLAIN: Final = Style()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: at least `least` cells wide or not shown, at most `most` unless it is the last one shown.

    Of columns that do not all fit, those with the lowest priority go first. What is over goes to the
    one with the highest; what it cannot use is shared out evenly.
    """

    title: str
    least: int
    most: int
    priority: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A column, by its index, with its place in cells from the table's left edge."""

    index: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a column of a row."""

    text: str
    style: Style = PLAIN


@lru_cache(maxsize=64)
def lay_out(columns: tuple[Column, ...], room: int) -> tuple[Placed, ...]:
    """Return the columns that fit into a table `room` cells wide, in their order; the last is stretched to its end.

    Where not even the first of them fits, it is shown alone and cut.
    """
    by_priority = sorted(range(len(columns)), key=lambda index: -columns[index].priority)
    left = room - GUTTER + _GAP
    widths: dict[int, int] = {}
    for index in by_priority:
        least = columns[index].least
        if widths and least + _GAP > left:
            break
        widths[index] = least
        left -= least + _GAP
    first, *others = (index for index in by_priority if index in widths)
    more = max(0, min(columns[first].most - widths[first], left))
    widths[first] += more
    left -= more
    while left > 0 and (others := [index for index in others if widths[index] < columns[index].most]):
        for index in others[:left]:
            widths[index] += 1
            left -= 1
    shown = sorted(widths)
    widths[shown[-1]] += left
    placed = []
    x = GUTTER
    for index in shown:
        placed.append(Placed(index, x, max(0, min(widths[index], room - x))))
        x += widths[index] + _GAP
    return tuple(placed)


def fitted(text: str, columns: int, *, right: bool = False) -> str:
    """Return text from outside in exactly so many columns: padded behind or, `right`, before it, or cut."""
    text = sanitize(text)
    if right:
        text = " " * (columns - width(text)) + text
    return cut(text, columns) + (MARK if is_right_to_left(text) else "")
