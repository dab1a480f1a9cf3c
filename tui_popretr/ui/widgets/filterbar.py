"""The line below a table for its filter."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class Filtered(Protocol):
    """A table with a filter."""

    filter: str

    @property
    def matches(self) -> tuple[int, int]:
        """The number of rows that match, and of all."""
        ...

    def set_filter(self, text: str) -> None: ...

    def focus(self) -> object: ...


class FilterInput(Input):
    """The input line for the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "submit", "Back to the list", key_display="⏎"),
        Binding("escape", "clear_filter", "Remove the filter"),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="words to look for; !word excludes", id="filter", compact=True)
        self.cursor_blink = False

    def action_clear_filter(self) -> None:
        """Remove the filter."""
        self.query_ancestor(FilterBar).close()


class FilterBar(Horizontal):
    """Hidden until the user filters."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar Label { width: auto; padding: 0 1; }
    FilterBar Input { width: 1fr; border: none; height: 1; padding: 0; background: transparent; }
    """

    class Toggled(Message):
        """The line was shown, or hidden."""

    def __init__(self, table: Filtered) -> None:
        super().__init__()
        self._table = table

    def ask(self) -> None:
        """Show the line and focus its input."""
        if not self.children:
            self.mount(Label("/"), FilterInput(), Label("", id="matches", markup=False))
        if not self.display:
            self.display = True
            self.post_message(self.Toggled())
        self.show_matches()
        self.query_one(FilterInput).focus()

    def close(self) -> None:
        """Remove the filter, hide the line and focus the table."""
        self._table.set_filter("")
        for line in self.query(FilterInput):
            with line.prevent(Input.Changed):
                line.value = ""
        if self.display:
            self.display = False
            self.post_message(self.Toggled())
        self._table.focus()

    def show_matches(self) -> None:
        """Show the number of rows that match."""
        if self.display and self.children:
            matches, rows = self._table.matches
            self.query_one("#matches", Label).update(f"{matches:,} of {rows:,}")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._table.set_filter(event.value)
        self.show_matches()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._table.focus()
        else:
            self.close()
