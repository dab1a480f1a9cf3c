"""The lines of a transcript pane: numbered items, the rows of each, and the matches of a search. Pure.

An item keeps its number while others are added or removed at either end, so that cursor, matches and cached rows stay
with their line.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from tui_popretr.logs.items import Gap, Item, SearchPattern, body

Measure = Callable[[Item], int]


def one_row(item: Item) -> int:  # noqa: ARG001 - it is a Measure
    """Return the number of rows of an item that is not wrapped."""
    return 1


class LineIndex:
    """Items in their order. Row 0 is that of the first item; `measure` returns the number of rows of an item."""

    def __init__(self, items: Iterable[Item] = (), measure: Measure = one_row) -> None:
        self.first = 0
        self.items: list[Item] = []
        self._measure = measure
        # the row after each item, on a scale on which the first item begins at _top
        self._ends: list[int] = []
        self._top = 0
        self._pattern: SearchPattern | None = None
        self._matches: list[int] = []
        self.append(items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def end(self) -> int:
        """The number of the next item at the end."""
        return self.first + len(self.items)

    def item(self, number: int) -> Item:
        """Return an item by its number."""
        return self.items[number - self.first]

    # --- growing and shrinking ----------------------------------------------------------------------------------------

    def append(self, items: Iterable[Item]) -> None:
        """Add items at the end; a gap after a gap becomes one with it."""
        added = list(items)
        last = self.items[-1] if self.items else None
        if added and isinstance(last, Gap) and isinstance(added[0], Gap):
            added[0] = Gap(last.count + added[0].count)
            self.drop_last(1)
        if self._pattern is not None:
            self._matches += _found(added, self.end, self._pattern)
        self.items += added
        row = self._ends[-1] if self._ends else self._top
        self._ends += list(accumulate(map(self._measure, added), initial=row))[1:]

    def prepend(self, items: Sequence[Item]) -> int:
        """Add items at the beginning; return the number of their rows."""
        self.items[:0] = items
        self.first -= len(items)
        if self._pattern is not None:
            self._matches[:0] = _found(items, self.first, self._pattern)
        ends = list(accumulate(map(self._measure, items), initial=0))
        self._top -= ends[-1]
        self._ends[:0] = [self._top + end for end in ends[1:]]
        return ends[-1]

    def drop_first(self, count: int) -> int:
        """Remove the first `count` items; return the number of their rows."""
        if count <= 0:
            return 0
        rows = self._ends[count - 1] - self._top
        self._top += rows
        self.first += count
        del self.items[:count]
        del self._ends[:count]
        del self._matches[: bisect_left(self._matches, self.first)]
        return rows

    def drop_last(self, count: int) -> None:
        """Remove the last `count` items."""
        if count > 0:
            del self.items[-count:]
            del self._ends[-count:]
            del self._matches[bisect_left(self._matches, self.end) :]

    # --- rows ---------------------------------------------------------------------------------------------------------

    def set_measure(self, measure: Measure) -> None:
        """Change the function that returns the number of rows of an item."""
        self._measure = measure
        self._top = 0
        self._ends = list(accumulate(map(measure, self.items), initial=0))[1:]

    @property
    def rows(self) -> int:
        """The number of rows of all items."""
        return self._ends[-1] - self._top if self._ends else 0

    def row_of(self, number: int) -> int:
        """Return the first row of an item; for `end`, the row after the last."""
        index = min(number - self.first, len(self._ends))
        return self._ends[index - 1] - self._top if index > 0 else 0

    def at_row(self, row: int) -> tuple[int, int]:
        """Return the item at a row (0 <= row < rows), by its number, and the index of the row within the item."""
        index = bisect_right(self._ends, row + self._top)
        number = self.first + index
        return number, row - self.row_of(number)

    # --- search -------------------------------------------------------------------------------------------------------

    @property
    def pattern(self) -> SearchPattern | None:
        """The pattern of the search."""
        return self._pattern

    def search(self, pattern: SearchPattern | None) -> None:
        """Find all items with `pattern` in their body, also among items added later. None ends the search."""
        self._pattern = pattern
        self._matches = [] if pattern is None else _found(self.items, self.first, pattern)

    @property
    def matches(self) -> Sequence[int]:
        """The numbers of the matching items, ascending."""
        return self._matches

    def match_index(self, number: int) -> int | None:
        """Return the place of an item among the matches, from 0; None if it is none."""
        index = bisect_left(self._matches, number)
        return index if index < len(self._matches) and self._matches[index] == number else None

    def next_match(self, number: int) -> int | None:
        """Return the first match after item `number`; None if there is none."""
        index = bisect_right(self._matches, number)
        return self._matches[index] if index < len(self._matches) else None

    def previous_match(self, number: int) -> int | None:
        """Return the last match before item `number`; None if there is none."""
        index = bisect_left(self._matches, number)
        return self._matches[index - 1] if index else None


def _found(items: Sequence[Item], first: int, pattern: SearchPattern) -> list[int]:
    return [number for number, item in enumerate(items, first) if pattern.is_in(body(item))]
