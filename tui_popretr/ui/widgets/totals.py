"""The line of totals at the top: clients, running, failed, today's mail and the rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from tui_popretr import wording
from tui_popretr.mailbox import Connection
from tui_popretr.status import View
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import sanitize

#: Parts that are more important than the state of a connection that is there.
_FIRST: Final = 3


class TotalsBar(Widget):
    """One line with the totals, and a title on the right; what does not fit is omitted, the least important first.

    A connection that is lost is the most important, and a title that is no connection the least.
    """

    def __init__(self, title: str = "") -> None:
        super().__init__(id="totals")
        self._titles: tuple[str, ...] = (sanitize(title),) if title else ()
        self._connected: bool | None = None  # None: there is none
        self._parts: tuple[tuple[str, str], ...] = ()

    def set_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon as the title."""
        self._titles = tuple(sanitize(text) for text in connection.texts)
        self._connected = connection.connected
        self.refresh()

    def refresh_view(self, view: View, now: float) -> None:
        """Draw the totals if they changed; `now` is in seconds of boottime."""
        running, failed, rate = view.running, view.failed, view.rate(now)
        parts = (
            (wording.plural(len(view.clients), "client"), "bold"),
            (f"↓ {running} running", "cyan" if running else ""),
            (f"✗ {failed} failed", "bold red" if failed else ""),
            (f"today {wording.plural(view.messages_today, 'message')}, {wording.size(view.octets_today)}", ""),
            (formatting.rate(rate) if rate else "", "cyan"),
        )
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def render(self) -> Text:
        lost = self._connected is False
        first = 0 if lost else _FIRST if self._connected else len(self._parts)
        shown = Text(no_wrap=True, overflow="ellipsis")
        room = self._append(shown, self._parts[:first], self.size.width)
        title = next((each for each in self._titles if cell_len(each) <= room), "")
        if lost and not title:
            title = self._titles[-1]
        taken = min(cell_len(title) + 1, room) if title else 0
        room = self._append(shown, self._parts[first:], room - taken)
        if title:
            end = " " if room + taken > cell_len(title) + 1 else ""  # a blank before the title comes first
            shown.append(" " * (room + taken - cell_len(title + end)))
            shown.append(title + end, "bold red" if lost else "dim")
        return shown

    @staticmethod
    def _append(shown: Text, parts: Sequence[tuple[str, str]], room: int) -> int:
        """Append the parts that fit, and return the cells that are left."""
        for part, style in parts:
            if part and cell_len(part) + 2 <= room:
                shown.append(f" {part} ", style)
                room -= cell_len(part) + 2
        return room
