"""Which columns of a table fit into its width, and how wide they are: one layouter for all tables. Pure.

A table decides by steps, the most wanted first. A step names a column and a width: if the column is shown already, it
grows up to this width, as far as there is room; if not, it is added, provided that it fits at this width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: The cells before the first column, with the mark of the row under the cursor.
GUTTER: Final = 1
#: The cells between two columns.
GAP: Final = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Only by_priority() needs `least`, `most`, `good` (cells) and `priority`; lay_out() does not.

    `good`: what is usual is not cut at this width. `timed`: time alone changes what its cells show.
    """

    title: str
    least: int = 0
    most: int = 0
    priority: int = 0
    right: bool = False
    timed: bool = False
    good: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A column, by its index, with its place in cells from the table's left edge."""

    index: int
    x: int
    width: int


#: The index of a column, and its width in cells.
Step = tuple[int, int]


def lay_out(always: Mapping[int, int], steps: Iterable[Step], room: int) -> tuple[Placed, ...]:
    """Return the columns that fit into a table `room` cells wide, in the order of their indexes.

    The columns in `always` are shown in any case, cut where the table is too narrow for them.
    """
    widths = dict(always)
    left = room - GUTTER + GAP - sum(width + GAP for width in widths.values())
    for index, width in steps:
        if index in widths:
            more = max(0, min(width - widths[index], left))
            widths[index] += more
            left -= more
        elif width + GAP <= left:
            widths[index] = width
            left -= width + GAP
    placed: list[Placed] = []
    x = GUTTER
    for index in sorted(widths):
        if x < room:
            placed.append(Placed(index, x, max(1, min(widths[index], room - x))))
        x += widths[index] + GAP
    return tuple(placed)


@lru_cache(maxsize=64)
def by_priority(columns: tuple[Column, ...], room: int, hidden: frozenset[int] = frozenset()) -> tuple[Placed, ...]:
    """Return the columns that fit, the last one stretched to the end, without the hidden ones.

    Columns are added by priority until one does not fit. Room that is left goes to each up to its `good`, then to the
    one with the highest priority, up to its `most`, then evenly to the others.
    """
    wanted = [index for index in range(len(columns)) if index not in hidden]
    first, *others = sorted(wanted, key=lambda index: -columns[index].priority)
    left = room - GUTTER - columns[first].least
    shown = [first]
    for index in others:
        left -= GAP + columns[index].least
        if left < 0:
            break
        shown.append(index)
    steps = [(index, columns[index].least) for index in shown]
    steps += [(index, columns[index].good) for index in shown]
    steps.append((first, columns[first].most))
    for more in range(1, room):
        steps += [(index, columns[index].least + more) for index in shown[1:] if more <= _growth(columns[index])]
    steps.append((max(shown), room))
    return lay_out({first: columns[first].least}, steps, room)


def _growth(column: Column) -> int:
    return column.most - column.least
