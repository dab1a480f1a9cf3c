"""A widget of one line, drawn by itself."""

from __future__ import annotations

from collections.abc import Iterable

from textual.strip import Strip
from textual.widget import Widget

from tui_popretr.ui.widgets.styled import Cell, line


class OneLine(Widget):
    """Shows cells one after the other; what does not fit is cut."""

    DEFAULT_CSS = "OneLine { height: 1; }"

    def cells(self, size: int) -> Iterable[Cell]:
        """Return the cells for a line of `size` cells."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is only one
        size = self.size.width
        return line(self.cells(size), size, self.rich_style)
