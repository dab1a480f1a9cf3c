"""The line of totals at the top: clients, running, failed, today's mail and the rate."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from tui_popretr import wording
from tui_popretr.status import View
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import sanitize


class TotalsBar(Widget):
    """One line; what does not fit is omitted, the least important first."""

    def __init__(self, title: str = "") -> None:
        super().__init__(id="totals")
        self._title = sanitize(title)
        self._parts: tuple[tuple[str, str], ...] = ()

    def set_title(self, title: str) -> None:
        """Show another title."""
        self._title = sanitize(title)
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
        shown = Text(no_wrap=True, overflow="ellipsis")
        room = self.size.width
        for part, style in self._parts:
            if part and cell_len(part) + 2 <= room:
                shown.append(f" {part} ", style)
                room -= cell_len(part) + 2
        if self._title and cell_len(self._title) + 2 <= room:
            shown.append(" " * (room - cell_len(self._title) - 1) + self._title, "dim")
        return shown
