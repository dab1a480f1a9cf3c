"""A table with a filter, whose state is shown in the frame around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.filtering import Words
from tui_popretr.ui.widgets.drawntable import Row
from tui_popretr.ui.widgets.filterbar import FilterBar
from tui_popretr.ui.widgets.focus import FocusAtOnce
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.tables import Table


class FilteredTable(FocusAtOnce, Table[Row]):
    """Shows those of its rows that have all words of the filter. Its filter bar is mounted beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "clear_filter", "Remove the filter", show=False),
        Binding("C", "columns", "Columns", show=False, key_display="C"),
        *Table.BINDINGS,
    ]

    #: Whether its state is shown in a line above it where there is no frame.
    TITLED: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.filter_bar = FilterBar(self)
        self._words = Words()
        self._all: Sequence[Row] = ()
        self._status = ""

    # --- for subclasses -----------------------------------------------------------------------------------------------

    def text_of(self, row: Row) -> str:
        """Return the text of a row in which the filter looks for words."""
        return " ".join(cell.text for cell in self.cells(row))

    def nothing(self) -> str:
        """Return the text of a table that has no rows without a filter either, with what to do next."""
        return self.EMPTY

    def status_words(self) -> Iterator[str]:
        """Yield what the frame shows of the table's state."""
        if self.filter.strip():
            yield f"/{self.filter.strip()}: {len(self.rows):,} of {self.matches[1]:,}"
        if self.FOLLOWS and self.rows:
            yield "following" if self.following else f"{self.cursor + 1:,} of {len(self.rows):,}"

    # --- rows ---------------------------------------------------------------------------------------------------------

    @property
    def filter(self) -> str:
        """The filter as it was typed."""
        return self._words.text

    @property
    def matches(self) -> tuple[int, int]:
        """The number of rows that match the filter, and of all."""
        return len(self.rows), len(self._all)

    def show(self, rows: Sequence[Row]) -> None:
        """Show those of these rows that match the filter."""
        self._all = rows
        words = self._words
        self.set_rows(tuple(row for row in rows if words.match(self.text_of(row))) if words else rows)
        self.filter_bar.show_matches()

    def empty(self) -> str:
        return "No row matches. Esc removes the filter." if self._words and self._all else self.nothing()

    # --- filter -------------------------------------------------------------------------------------------------------

    def set_filter(self, text: str) -> None:
        """Show only the rows that have all words of the text, and none of those after a `!`."""
        if text != self.filter:
            self._words = Words(text)
            self.filter_changed()

    def filter_changed(self) -> None:
        """Show the rows that match now."""
        self.show(self._all)

    def action_filter(self) -> None:
        self.filter_bar.ask()

    def action_columns(self) -> None:
        from tui_popretr.ui.screens.columns import ColumnsScreen

        self.app.push_screen(ColumnsScreen(self))

    def action_clear_filter(self) -> None:
        self.filter_bar.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "clear_filter":
            return bool(self.filter or self.filter_bar.display)
        return super().check_action(action, parameters)

    # --- state --------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """What the frame shows of the table's state."""
        return self._status

    def note_status(self) -> None:
        status = formatting.join(self.status_words())
        if status != self._status:
            self._status = status
            self.post_message(StatusChanged())
