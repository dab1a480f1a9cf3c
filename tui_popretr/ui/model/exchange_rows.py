"""The rows of exchanges: a run of several is one row, or a row and those of its members; a filter. Pure.

A row is the run or the exchange itself, so that it is the same object as long as it is shown, with the latest values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from tui_popretr.logs.items import Gap, Item
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.model.exchanges import Exchange, Pairing
from tui_popretr.ui.model.filtering import Words
from tui_popretr.ui.model.runs import Folding, Run

Row = Run | Exchange
#: Rows are in the order of their keys; those of a run have the same one.
_KEY: Final = attrgetter("key")


class ExchangeRows:
    """The exchanges of all lines added, as rows, oldest first. The oldest are forgotten beyond `limit` lines."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._pairing = Pairing()
        self._folding = Folding(limit)
        self._filter = Words()
        self._rows: list[Row] | None = None
        #: Lines that were dropped before they could be added.
        self.missing = 0

    def add(self, items: Sequence[Item]) -> bool:
        """Take lines, oldest first; return whether rows have changed."""
        self.missing += sum(item.count for item in items if isinstance(item, Gap))
        changed = self._pairing.add(items)
        if changed:
            self._folding.add(changed)
            if self._filter:
                self._match(changed)
            self._rows = None
        return bool(changed)

    @property
    def count(self) -> int:
        """The number of rows without a filter, all runs folded."""
        return len(self._folding.runs)

    @property
    def since(self) -> datetime | None:
        """The time of the oldest exchange."""
        runs = self._folding.runs
        return runs[0].members[0].at if runs else None

    def rows(self) -> Sequence[Row]:
        """Return the rows that the filter lets through, with the members of unfolded runs."""
        if self._rows is None:
            rows: list[Row] = []
            filtered = bool(self._filter)
            for run in self._folding.runs:
                members = [each for each in run.members if each.matches] if filtered else run.members
                if run.count == 1:
                    rows += members
                elif members:
                    rows.append(run)
                    rows += members if run.unfolded else ()
            self._rows = rows
        return self._rows

    def set_filter(self, text: str) -> None:
        """Show only rows that have these words in session, command or reply; "" for all."""
        self._filter = Words(text)
        for run in self._folding.runs:
            self._match(run.members)
        self._rows = None

    def _match(self, exchanges: Iterable[Exchange]) -> None:
        for each in exchanges:
            each.matches = self._filter.match(f"{each.session} {each.command} {each.result}")

    def index(self, row: Row) -> int:
        """Return the index of a row; if it is not shown, of the one that it is folded into, or of the next one."""
        rows = self.rows()
        found = bisect_left(rows, row.key, key=_KEY)
        for index in range(found, len(rows)):
            if rows[index] is row:
                return index
            if rows[index].key != row.key:
                break
        return found

    def slowest_first(self) -> Sequence[Row]:
        """Return rows(), those with the longest wait first; members stay behind their run."""
        return sorted(self.rows(), key=lambda row: (-_whole(row).slowest, row.key))

    def toggle(self, run: Run) -> None:
        """Unfold a run, or fold it again."""
        run.unfolded = not run.unfolded
        self._rows = None


def _whole(row: Row) -> Row:
    """Return the run that a member belongs to; else the row."""
    return row.run if isinstance(row, Exchange) and row.run is not None and row.run.count > 1 else row
