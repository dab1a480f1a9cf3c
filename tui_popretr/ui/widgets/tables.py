"""A table drawn by line: thousands of rows, of which only the visible ones are ever put into words.

Text of a cell is drawn as it is, never read as markup; it has to be neutralised already (text.visible).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import ClassVar, Final, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_popretr.ui.model import formatting
from tui_popretr.ui.widgets.columns import GUTTER, PLAIN, Cell, Column, fitted, lay_out

DIM: Final = Style(dim=True)
GOOD: Final = Style(color="green")
WARN: Final = Style(color="yellow")
BAD: Final = Style(color="red", bold=True)
_TITLE: Final = Style(bold=True, underline=True)
_REVERSE: Final = Style(reverse=True)
_MARK: Final = Style(bold=True)


Row = TypeVar("Row")


class Table(ScrollView, Generic[Row], can_focus=True):
    """Rows with titles above and a cursor that belongs to a row: it stays with it when rows are added or fall away.

    While the cursor is on the last row it follows: new rows come into view. A subclass gives COLUMNS and EMPTY and
    turns a row into cells.
    """

    DEFAULT_CSS = """
    Table {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last, and follow", show=False),
    ]

    ALLOW_SELECT = False
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    #: What is said where there are no rows.
    EMPTY: ClassVar[str] = ""
    #: Whether the cursor goes along with new rows while it is on the last one.
    FOLLOWS: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        self._following = self.FOLLOWS
        #: The local time against which times are told: those of another day with their date.
        self.today = datetime.min.replace(tzinfo=UTC)

    # --- what a subclass says -----------------------------------------------------------------------------------------

    def cells(self, row: Row) -> Sequence[Cell]:
        """Return the cells of a row, one for each of COLUMNS. Called for visible rows only."""
        raise NotImplementedError

    def title(self, column: Column) -> str:
        """Return what stands above a column."""
        return column.title

    def choose(self, row: Row) -> None:
        """The user wants to see more of a row."""

    def empty(self) -> str:
        """Return what is said where there are no rows."""
        return self.EMPTY

    # --- rows ---------------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, from the top."""
        return self._rows

    @property
    def cursor(self) -> int:
        """The index of the row under the cursor; 0 where there is none."""
        return self._cursor

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows. Rows are told apart by identity; those that fell away are expected to be the first ones."""
        old, self._rows = self._rows, rows
        top = self.scroll_offset.y
        if self._following or not old:
            cursor = len(rows) - 1 if self._following else 0
        else:
            cursor = _find(rows, old[self._cursor], self._cursor)
            top += cursor - self._cursor
        self._cursor = max(0, cursor)
        self.virtual_size = Size(self._width, len(rows) + 1)
        if top != self.scroll_offset.y and not self._following:
            # forced, since the scroll bar may not be there yet
            self.scroll_to(y=max(0, top), animate=False, force=True)
        self._reveal()
        self.refresh()

    def set_today(self, wall: datetime) -> None:
        """Tell times as seen at this local time."""
        if wall.date() != self.today.date():
            self.refresh()
        self.today = wall

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, the nearest there is, and bring it into view."""
        before = self._cursor
        self._cursor = max(0, min(row, len(self._rows) - 1))
        self._following = self.FOLLOWS and self._cursor >= len(self._rows) - 1
        for each in {before, self._cursor}:
            self._draw_row(each)
        self._reveal()

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
        if offset is None or offset.y < 1:
            return
        row = offset.y - 1 + self.scroll_offset.y
        if row < len(self._rows):
            self.move_to(row)
            if event.chain == 2:
                self.action_choose()

    # --- drawing ------------------------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    def on_resize(self) -> None:
        self.virtual_size = Size(self._width, len(self._rows) + 1)
        self._reveal()
        self.refresh()

    def on_focus(self) -> None:
        self._draw_row(self._cursor)

    def on_blur(self) -> None:
        self._draw_row(self._cursor)

    def _draw_row(self, row: int) -> None:
        y = row + 1 - self.scroll_offset.y
        if 1 <= y < self._height:
            self.refresh(Region(0, y, self._width, 1))

    def render_line(self, y: int) -> Strip:
        columns = self._width
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            strip = self._titles()
        elif row < len(self._rows):
            strip = self._row(row)
        elif not self._rows:
            strip = self._empty_line(y - 2)
        else:
            return Strip.blank(columns, self.rich_style)
        strip = strip.crop_extend(0, columns, None)
        if row == self._cursor and self.has_focus and y and self._rows:
            strip = strip.apply_style(_REVERSE)
        return strip.apply_style(self.rich_style)

    def _titles(self) -> Strip:
        cells = [Cell(self.title(column), _TITLE) for column in self.COLUMNS]
        return self._strip(Segment(" " * GUTTER, _TITLE), cells, _TITLE)

    def _row(self, row: int) -> Strip:
        mark = "›" if row == self._cursor else " "
        return self._strip(Segment(mark, _MARK), self.cells(self._rows[row]), PLAIN)

    def _strip(self, gutter: Segment, cells: Sequence[Cell], between: Style) -> Strip:
        segments = [gutter]
        x = GUTTER
        for placed in lay_out(self.COLUMNS, self._width):
            cell = cells[placed.index]
            if placed.x > x:
                segments.append(Segment(" " * (placed.x - x), between))
            text = fitted(cell.text, placed.width, right=self.COLUMNS[placed.index].right)
            segments.append(Segment(text, cell.style))
            x = placed.x + placed.width
        return Strip(segments)

    def _empty_line(self, line: int) -> Strip:
        lines = formatting.wrap(self.empty(), max(1, self._width - 2 * GUTTER))
        text = lines[line] if 0 <= line < len(lines) else ""
        return Strip([Segment(" " * GUTTER + text, DIM)])


def same(rows: Sequence[Row], source: deque[Row]) -> bool:
    """Return whether a copy taken earlier of what only grows, and loses its first, is still the whole of it."""
    return len(rows) == len(source) and (not rows or (rows[-1] is source[-1] and rows[0] is source[0]))


def _find(rows: Sequence[Row], row: Row, near: int) -> int:
    """Return the index of a row that was at `near`, most often a little above now; 0 where it is gone."""
    start = min(near, len(rows) - 1)
    for index in chain(range(start, -1, -1), range(start + 1, len(rows))):
        if rows[index] is row:
            return index
    return 0
