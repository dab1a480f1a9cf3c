"""A line above a pane: its subject on the left, its state on the right."""

from __future__ import annotations

from collections.abc import Sequence

from tui_popretr.ui.model.cells import cut, sanitize, width
from tui_popretr.ui.widgets.oneline import OneLine
from tui_popretr.ui.widgets.styled import BOLD, DIM, Cell


class TitleLine(OneLine):
    """Shown where there is no frame."""

    def __init__(self) -> None:
        super().__init__()
        self._left = self._right = ""

    def set_text(self, left: str, right: str) -> None:
        """Set the texts; draw them if they changed."""
        if (left, sanitize(right)) != (self._left, self._right):
            self._left, self._right = left, sanitize(right)
            self.refresh()

    def cells(self, size: int) -> Sequence[Cell]:
        right = cut(f" {self._right} ", min(width(self._right) + 2, max(size - 4, 0)))
        left = cut(f" {sanitize(self._left)}", max(size - width(right), 0))
        return Cell(left, BOLD), Cell(right, DIM)
