"""The dialogue that the dashboard keeps: a bounded store of lines of all clients."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from tui_popretr.facts import DialogueLine
from tui_popretr.logs.items import Gap, Item, Line

#: Lines kept, over all clients.
LIMIT: Final = 10_000


class DialogueStore:
    """The last lines of all clients.

    The lines of one client are searched when they are asked for: that takes a millisecond and happens when the user
    selects another client. Sorting them on arrival costs far more. Lines are numbered on arrival. Lines beyond the
    limit are dropped, oldest first, and counted.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._first = 0
        self._lines: list[Line] = []
        self._gaps: deque[tuple[int, int]] = deque()  # the number of the line after the gap, missing lines
        self._forgotten: Counter[str | None] = Counter()

    def add(self, lines: Iterable[Line], dropped: int = 0) -> None:
        """Take new lines, oldest first; `dropped` lines before them were lost."""
        if dropped:
            number = self._first + len(self._lines)
            if self._gaps and self._gaps[-1][0] == number:
                dropped += self._gaps.pop()[1]
            self._gaps.append((number, dropped))
        self._lines += lines
        self._forget(len(self._lines) - self._limit)

    def _forget(self, count: int) -> None:
        if count <= 0:
            return
        gone = self._lines[:count]
        self._forgotten.update([line.session.client for line in gone if isinstance(line, DialogueLine)])
        del self._lines[:count]
        self._first += count
        self._forgotten[None] += count
        while self._gaps and self._gaps[0][0] < self._first:
            self._forgotten[None] += self._gaps.popleft()[1]

    def forgotten(self, client: str | None = None) -> int:
        """Return the number of dropped lines (of a client, of all with None) before the first of items()."""
        return self._forgotten[client]

    def items(self, client: str | None = None) -> list[Item]:
        """Return the lines of a client, of all with None, oldest first, with gaps where lines are missing."""
        if not self._gaps:
            return of_client(self._lines, 0, client)
        numbers: Iterable[int] = range(self._first, self._first + len(self._lines))
        if client is not None:
            numbers = [number for number, line in enumerate(self._lines, self._first) if _is_of(line, client)]
        items: list[Item] = []
        gaps = iter(self._gaps)
        gap = next(gaps, None)
        for number in numbers:
            while gap is not None and gap[0] <= number:
                _append_gap(items, gap[1])
                gap = next(gaps, None)
            items.append(self._lines[number - self._first])
        while gap is not None:
            _append_gap(items, gap[1])
            gap = next(gaps, None)
        return items


class HeldBack:
    """Items that wait until they are shown. Beyond the limit, the oldest are dropped, and become a gap."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[Item]) -> None:
        """Add items at the end."""
        self._items += items
        if (more := len(self._items) - self._limit) > 0:
            gone = sum(item.count if isinstance(item, Gap) else 1 for item in self._items[: more + 1])
            self._items[: more + 1] = [Gap(gone)]

    def take(self) -> list[Item]:
        """Return the items, and hold none back."""
        items, self._items = self._items, []
        return items


def of_client(lines: Iterable[Line], dropped: int, client: str | None) -> list[Item]:
    """Return the items that a batch (see DialogueStore.add) adds to those of a client, of all with None."""
    items: list[Item] = [Gap(dropped)] if dropped else []
    if client is None:
        items += lines
    else:
        items += [line for line in lines if _is_of(line, client)]
    return items


def _is_of(line: Line, client: str) -> bool:
    return isinstance(line, DialogueLine) and line.session.client == client


def _append_gap(items: list[Item], count: int) -> None:
    """Add a gap; two gaps without a line between them become one."""
    last = items[-1] if items else None
    if isinstance(last, Gap):
        items[-1] = Gap(last.count + count)
    else:
        items.append(Gap(count))
