"""The details of the selected client below a short client list, where there would be nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui_popretr.status import View
from tui_popretr.ui.model.client_details import details
from tui_popretr.ui.model.parts import Part, typeset
from tui_popretr.ui.widgets.styled import PLAIN, Cell, line


class DetailsPane(Widget):
    """Shows the beginning of the details, live. It takes no keys: Enter in the client list shows all."""

    DEFAULT_CSS = "DetailsPane { height: 1fr; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(id="selected")
        self._parts: Sequence[Part] = ()
        self._lines: Sequence[Text] = ()

    def refresh_view(self, view: View, client: str | None) -> None:
        """Draw the lines that have changed; nothing while the pane is hidden."""
        if not self.size.height:
            return
        known = view.clients.get(client) if client is not None else None
        parts = tuple(details(known, view.now, view.wall)) if known is not None else ()
        if parts != self._parts:
            self._parts = parts
            self._set_lines()

    def _set_lines(self) -> None:
        old = self._lines
        self._lines = tuple(typeset(self._parts, max(1, self.size.width)).split("\n")) if self._parts else ()
        for y, (before, after) in enumerate(zip_longest(old, self._lines)):
            if before != after and y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self) -> None:
        self._lines = ()
        self._set_lines()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if y >= len(self._lines):
            return line((), self.size.width, self.rich_style)
        drawn = self._lines[y].render(self.app.console, end="")
        return line((Cell(text, style or PLAIN) for text, style, _ in drawn), self.size.width, self.rich_style)
