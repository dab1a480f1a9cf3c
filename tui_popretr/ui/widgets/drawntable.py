"""How a table is drawn: titles, columns, the visible ones of thousands of rows, and the mark of the cursor.

The text of a cell is drawn as it is, never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import fitted
from tui_popretr.ui.model.columns import GUTTER, Column, Placed, by_priority
from tui_popretr.ui.widgets.lineview import LineView
from tui_popretr.ui.widgets.styled import ACTIVE, DIM, REVERSE, TITLE, Cell, segments

Row = TypeVar("Row")
#: A cell with its column and place; its text is exactly as wide as the column.
PlacedCell = tuple[Placed, Cell]


class DrawnTable(LineView, Generic[Row]):
    """Draws rows below a line of titles. A subclass gives COLUMNS and turns a row into cells."""

    DEFAULT_CSS = """
    DrawnTable {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    DrawnTable > .table--cursor { color: $block-cursor-foreground; background: $block-cursor-background; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor"}

    ALLOW_SELECT = False
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    #: The text of a table without rows.
    EMPTY: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        #: The indexes of columns that are not shown.
        self.hidden: frozenset[int] = frozenset()
        #: The local time of the latest update: times of another day are shown with their date.
        self.today = datetime.min.replace(tzinfo=UTC)
        # Set for each drawing, since each line needs them: the style, the width in cells, and the columns.
        self._base = Style.null()
        self._cursor_style: Style | None = None
        self._room = 0
        self._empty: list[str] = []
        self._placed: tuple[Placed, ...] = ()
        #: By row: the cells of the timed columns as they were drawn last.
        self._drawn: dict[int, list[PlacedCell]] = {}

    # --- for subclasses -----------------------------------------------------------------------------------------------

    def cells(self, row: Row) -> Sequence[Cell]:
        """Return the cells of a row, one for each of COLUMNS. Called for visible rows only."""
        raise NotImplementedError

    def placed_cells(self, row: Row, columns: Sequence[Placed]) -> list[PlacedCell]:
        """Return the cells of a row in these columns; in a narrow table, a cell may cover several columns."""
        cells = self.cells(row)
        placed_cells: list[PlacedCell] = []
        for each in columns:
            text, style = cells[each.index]
            placed_cells.append((each, Cell(fitted(text, each.width, right=self.COLUMNS[each.index].right), style)))
        return placed_cells

    def columns(self, room: int) -> tuple[Placed, ...]:
        """Return the columns that fit into a width in cells. Called for each drawing."""
        return by_priority(self.COLUMNS, room, self.hidden)

    def title(self, column: Column) -> str:
        """Return the title of a column."""
        return column.title

    def empty(self) -> str:
        """Return the text of a table without rows, with what to do next."""
        return self.EMPTY

    # --- state --------------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, from the top."""
        return self._rows

    @property
    def cursor(self) -> int:
        """The index of the row under the cursor; 0 if there is none."""
        return self._cursor

    def set_today(self, wall: datetime) -> None:
        """Set the local time; draw everything if the day has changed."""
        if wall.date() != self.today.date():
            self.refresh()
        self.today = wall

    @property
    def hidden_titles(self) -> list[str]:
        """The titles of columns that are not shown."""
        return [self.COLUMNS[index].title for index in sorted(self.hidden)]

    def hide(self, titles: Iterable[str]) -> None:
        """Show all columns but those with these titles. The most important one is always shown."""
        titles = set(titles)
        hidden = {index for index, column in enumerate(self.COLUMNS) if column.title in titles}
        self.hidden = frozenset(hidden - {self.main_column})
        self._drawn.clear()
        self.refresh()

    @property
    def main_column(self) -> int:
        """The index of the most important column."""
        return max(range(len(self.COLUMNS)), key=lambda index: self.COLUMNS[index].priority)

    # --- drawing ------------------------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    @property
    def visible_rows(self) -> range:
        """The indexes of the rows in view."""
        top = self.scroll_offset.y
        return range(top, min(top + self._height - 1, len(self._rows)))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._drawn.clear()

    def draw_rows(self, rows: Iterable[int]) -> None:
        """Draw those of these rows that are in view."""
        width, height = self.scrollable_content_region.size
        top = self.scroll_offset.y
        lines = [Region(0, y, width, 1) for row in rows if 1 <= (y := row + 1 - top) < height]
        if lines:
            self.refresh(*lines)

    def draw_empty(self) -> None:
        """Draw the text of a table without rows, which has changed."""
        before, self._empty = self._empty, self._wrapped_empty()
        self.draw_rows(range(1, 1 + max(len(before), len(self._empty))))

    def draw_timed(self) -> None:
        """Draw those cells of the timed columns that have changed."""
        columns = [each for each in self.columns(self._width) if self.COLUMNS[each.index].timed]
        for row in self.visible_rows:
            drawn = self._drawn.get(row)
            if drawn is None:
                continue  # it is about to be drawn
            for (before, old), (placed, new) in zip(drawn, self.placed_cells(self._rows[row], columns), strict=False):
                if old.text != new.text or before != placed:
                    changed = max(len(old.text.rstrip()), len(new.text.rstrip()))
                    y = row - self.scroll_offset.y + 1
                    self.refresh(Region(placed.x, y, min(changed, placed.width), 1))

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base = self.rich_style
        self._room = self._width
        self._placed = self.columns(self._room)
        self._cursor_style = self._style_of_cursor()
        self._empty = [] if self._rows else self._wrapped_empty()
        return super().render_lines(crop)

    def _style_of_cursor(self) -> Style | None:
        """Return the style of the row under the cursor: one background over its whole width."""
        if not self.has_focus:
            return None
        return REVERSE if self.app.no_color else self.get_component_rich_style("table--cursor", partial=True)

    def render_line(self, y: int) -> Strip:
        row = y - 1 + self.scroll_offset.y
        cells: list[Cell] = []
        style: Style | None = None
        if y == 0:
            cells = self._titles()
        elif row < len(self._rows):
            cells = self._row(row)
            style = self._cursor_style if row == self._cursor else None
        elif y >= 2 and y - 2 < len(self._empty):
            cells = [Cell(self._empty[y - 2], DIM)]
        return Strip(segments(cells, self._room, self._base, style), self._room)

    def _titles(self) -> list[Cell]:
        titles: list[PlacedCell] = []
        for each in self._placed:
            column = self.COLUMNS[each.index]
            titles.append((each, Cell(fitted(self.title(column), each.width, right=column.right), TITLE)))
        return [Cell(" " * GUTTER, TITLE), *_spaced(titles)]

    def _row(self, row: int) -> list[Cell]:
        cells = self.placed_cells(self._rows[row], self._placed)
        self._drawn[row] = [each for each in cells if self.COLUMNS[each[0].index].timed]
        mark = Cell("›", ACTIVE) if row == self._cursor else Cell(" " * GUTTER)
        return [mark, *_spaced(cells)]

    def _wrapped_empty(self) -> list[str]:
        return [" " * GUTTER + line for line in formatting.wrap(self.empty(), max(1, self._width - 2 * GUTTER))]


def _spaced(cells: Iterable[PlacedCell]) -> list[Cell]:
    """Return the cells, each with the gap behind it."""
    spaced: list[Cell] = []
    x = GUTTER
    for placed, cell in cells:
        if placed.x > x:
            spaced[-1] = Cell(spaced[-1].text + " " * (placed.x - x), spaced[-1].style)
        spaced.append(cell)
        x = placed.x + placed.width
    return spaced
