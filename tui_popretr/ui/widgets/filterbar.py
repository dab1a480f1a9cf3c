"""The line below a table for its filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Label

from tui_popretr.ui.model import filtering
from tui_popretr.ui.widgets.inputline import InputLine, LineInput


class Filtered(Protocol):
    """A table with a filter."""

    @property
    def matches(self) -> tuple[int, int]:
        """The number of rows that match, and of all."""
        ...

    def set_filter(self, text: str) -> None: ...

    def focus(self) -> object: ...


class FilterInput(LineInput):
    """The input line for the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "answer", "Back to the list", key_display="⏎"),
        Binding("escape", "cancel", "Remove the filter"),
    ]


class FilterBar(InputLine):
    """Hidden until the user filters, then shown while there is a filter."""

    DEFAULT_CSS = "FilterBar Label { padding: 0 1; }"

    class Toggled(Message):
        """The line was shown, or hidden."""

    def __init__(self, table: Filtered) -> None:
        super().__init__()
        self._table = table

    def parts(self) -> Sequence[Widget]:
        return Label("/"), FilterInput(filtering.RULE), Label("", id="matches", markup=False)

    def ask(self) -> None:
        """Show the line and focus its input."""
        hidden = not self.display
        self.open()
        if hidden:
            self.post_message(self.Toggled())
        self.show_matches()

    def close(self) -> None:
        """Remove the filter, hide the line and focus the table."""
        self._table.set_filter("")
        if self.children:
            self.set_text("")
        if self.display:
            self.display = False
            self.post_message(self.Toggled())
        self._table.focus()

    def show_matches(self) -> None:
        """Show the number of rows that match."""
        if self.display and self.children:
            matches, rows = self._table.matches
            self.query_one("#matches", Label).update(f"{matches:,} of {rows:,}")

    def typed(self, text: str) -> None:
        self._table.set_filter(text)
        self.show_matches()

    def answered(self, text: str) -> None:
        if text.strip():
            self.typed(text)
            self._table.focus()
        else:
            self.close()

    def cancelled(self) -> None:
        self.close()
