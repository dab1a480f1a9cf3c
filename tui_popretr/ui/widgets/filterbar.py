"""The line below the client list for the filter."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label


class FilterInput(Input):
    """The input line for the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "submit", "Back to the list", key_display="⏎"),
        Binding("escape", "app.step_back", "Remove the filter"),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="words to look for", id="filter", compact=True)
        self.cursor_blink = False


class FilterBar(Horizontal):
    """Hidden until the user filters."""

    def __init__(self) -> None:
        super().__init__(id="filterbar")

    def ask(self) -> None:
        """Show the line and focus its input."""
        if not self.children:
            self.mount(Label("/"), FilterInput(), Label("", id="matches", markup=False))
        self.display = True
        self.query_one(FilterInput).focus()

    def set_text(self, text: str) -> None:
        """Replace the text, if the line was ever shown."""
        for line in self.query(FilterInput):
            line.value = text

    def show_matches(self, matches: int, clients: int) -> None:
        """Show the number of clients that match."""
        if self.display:
            self.query_one("#matches", Label).update(f"{matches} of {clients}")
