"""A table: rows with a cursor, which moves by keys and the mouse, and may follow new rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui_popretr.ui.widgets.drawntable import DrawnTable, Row


class Table(DrawnTable[Row], can_focus=True):
    """Rows below a line of titles, and a cursor that stays with its row when rows are added or removed.

    A subclass gives COLUMNS and turns a row into cells.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last, and follow", show=False),
    ]

    #: Whether rows are added at the end and removed at the beginning. While the cursor is on the last row, it then
    #: follows: new rows come into view.
    FOLLOWS: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._following = self.FOLLOWS
        self._hinted = False  # whether a notice says that a jump has found nothing

    # --- for subclasses -----------------------------------------------------------------------------------------------

    def choose(self, row: Row) -> None:
        """Show more of a row."""

    def choose_title(self, index: int) -> None:
        """React to a click on the title of a column."""

    def find(self, rows: Sequence[Row], row: Row, near: int) -> int:
        """Return the index in `rows` of a row that was at index `near`; any other index if it is not there."""
        return _find_identical(rows, row, near)

    def cursor_moved(self) -> None:
        """React to another row under the cursor."""

    def note_status(self) -> None:
        """React to a change of rows or cursor that is shown in the frame."""

    # --- rows ---------------------------------------------------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether new rows come into view."""
        return self._following

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows."""
        old, self._rows = self._rows, rows
        top = self.scroll_offset.y
        cursor = 0
        if self._following:
            cursor = len(rows) - 1
        elif old:
            cursor = self.find(rows, old[self._cursor], self._cursor)
            if self.FOLLOWS:
                top += cursor - self._cursor
        self._cursor = max(0, min(cursor, len(rows) - 1))
        self._drawn.clear()
        self.set_extent(self._width, len(rows) + 1)
        top = max(0, min(top, self.max_scroll_y))
        if top != self.scroll_offset.y:
            # forced, since the scroll bar may not be there yet
            self.scroll_to(y=top, animate=False, force=True)
        self._reveal()
        self.refresh()
        self.cursor_moved()
        self.note_status()

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, the nearest there is, and bring it into view."""
        if self._hinted:
            self._hinted = False
            self.app.clear_notifications()
        before = self._cursor
        self._cursor = max(0, min(row, len(self._rows) - 1))
        self._following = self.FOLLOWS and self._cursor >= len(self._rows) - 1
        self.draw_rows((before, self._cursor))
        self._reveal()
        self.cursor_moved()
        self.note_status()

    def notify(self, message: str, **options: Any) -> None:
        """Show a notice, which replaces an older one and ends when the cursor moves."""
        self._hinted = True
        self.app.clear_notifications()
        super().notify(message, **options)

    def _reveal(self) -> None:
        visible = self._height - 1
        if visible < 1:
            return
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + visible:
            self.scroll_to(y=self._cursor - visible + 1, animate=False, force=True)

    # --- actions ------------------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        self.move_to(self._cursor + step)

    def action_page(self, direction: int) -> None:
        self.move_to(self._cursor + direction * max(1, self._height - 2))

    def action_edge(self, direction: int) -> None:
        self.move_to(self._cursor + direction * len(self._rows))

    def action_choose(self) -> None:
        if self._rows:
            self.choose(self._rows[self._cursor])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            for each in self.columns(self._width):
                if each.x <= offset.x < each.x + each.width:
                    self.choose_title(each.index)
            return
        row = offset.y - 1 + self.scroll_offset.y
        if row < len(self._rows):
            again = row == self._cursor and event.chain == 2
            self.move_to(row)
            if again:
                self.action_choose()

    def on_resize(self) -> None:
        self._drawn.clear()
        self.set_extent(self._width, len(self._rows) + 1)
        self._reveal()
        self.refresh()

    def on_focus(self) -> None:
        self.draw_rows((self._cursor,))

    def on_blur(self) -> None:
        self.draw_rows((self._cursor,))


def same(rows: Sequence[Row], source: deque[Row]) -> bool:
    """Return whether `rows`, an earlier copy of a deque that grows at its end and loses its first, equals it still."""
    return len(rows) == len(source) and (not rows or (rows[-1] is source[-1] and rows[0] is source[0]))


def _find_identical(rows: Sequence[Row], row: Row, near: int) -> int:
    """Return the index of a row that was at `near`, now most often a little above; 0 if it is gone."""
    start = min(near, len(rows) - 1)
    for index in chain(range(start, -1, -1), range(start + 1, len(rows))):
        if rows[index] is row:
            return index
    return 0
