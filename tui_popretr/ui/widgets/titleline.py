"""A line above a pane: its subject on the left, its state on the right."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from tui_popretr.ui.model.cells import cut, sanitize, width
from tui_popretr.ui.widgets.styled import BOLD, DIM, Cell, line


class TitleLine(Widget):
    """Shown where there is no frame."""

    DEFAULT_CSS = "TitleLine { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._left = self._right = ""

    def set_text(self, left: str, right: str) -> None:
        """Set the texts; draw them if they changed."""
        if (left, sanitize(right)) != (self._left, self._right):
            self._left, self._right = left, sanitize(right)
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is only one
        size = self.size.width
        right = cut(f" {self._right} ", min(width(self._right) + 2, max(size - 4, 0)))
        left = cut(f" {sanitize(self._left)}", max(size - width(right), 0))
        return line((Cell(left, BOLD), Cell(right, DIM)), size, self.rich_style)
