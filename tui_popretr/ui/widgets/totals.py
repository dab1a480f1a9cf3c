"""The line of totals at the top: clients, running, failed, today's mail and the rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from tui_popretr import wording
from tui_popretr.mailbox import Connection
from tui_popretr.status import View
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.widgets.oneline import OneLine
from tui_popretr.ui.widgets.styled import ACCENT, BAD, BOLD, DIM, Cell

#: Parts that are more important than the state of a connection that is there.
_FIRST: Final = 3


class TotalsBar(OneLine):
    """One line with the totals, and a title on the right; what does not fit is omitted, the least important first.

    A connection that is lost is the most important, and a title that is no connection the least.
    """

    def __init__(self, title: str = "") -> None:
        super().__init__(id="totals")
        self._titles: tuple[str, ...] = (sanitize(title),) if title else ()
        self._connected: bool | None = None  # None: there is none
        self._titled = True
        self._parts: tuple[Cell, ...] = ()

    def set_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon as the title."""
        self._titles = tuple(sanitize(text) for text in connection.texts)
        self._connected = connection.connected
        self.refresh()

    def set_titled(self, value: bool) -> None:
        """Show the title, or not, since a line above has it."""
        if value != self._titled:
            self._titled = value
            self.refresh()

    def refresh_view(self, view: View, now: float) -> None:
        """Draw the totals if they changed; `now` is in seconds of boottime."""
        running, failed, rate = view.running, view.failed, view.rate(now)
        parts = (
            Cell(wording.plural(len(view.clients), "client"), BOLD),
            Cell(f"↓ {running} running", ACCENT if running else DIM),
            Cell(f"✗ {failed} failed", BAD if failed else DIM),
            Cell(f"today {wording.plural(view.messages_today, 'message')}, {wording.size(view.octets_today)}"),
            Cell(formatting.rate(rate) if rate else "", ACCENT),
        )
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def cells(self, size: int) -> Iterator[Cell]:
        lost = self._connected is False
        first = 0 if lost else _FIRST if self._connected else len(self._parts)
        shown = _fitting(self._parts[:first], size)
        room = size - _width(shown)
        title = next((each for each in self._shown_titles if cell_len(each) <= room), "")
        if lost and not title and self._shown_titles:
            title = self._shown_titles[-1]
        taken = min(cell_len(title) + 1, room) if title else 0
        rest = _fitting(self._parts[first:], room - taken)
        room -= _width(rest)
        yield from shown
        yield from rest
        if title:
            end = " " if room > cell_len(title) + 1 else ""  # a blank before the title comes first
            yield Cell(" " * (room - cell_len(title + end)))
            yield Cell(title + end, BAD if lost else DIM)

    @property
    def _shown_titles(self) -> tuple[str, ...]:
        return self._titles if self._titled else ()


def _fitting(parts: Sequence[Cell], room: int) -> list[Cell]:
    """Return the parts that fit into `room` cells, with blanks around them."""
    cells: list[Cell] = []
    for text, style in parts:
        if text and cell_len(text) + 2 <= room:
            cells.append(Cell(f" {text} ", style))
            room -= cell_len(text) + 2
    return cells


def _width(cells: Sequence[Cell]) -> int:
    return sum(cell_len(cell.text) for cell in cells)
