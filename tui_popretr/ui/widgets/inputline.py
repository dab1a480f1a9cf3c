"""A line in which the user types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from tui_popretr.ui.widgets.focus import FocusAtOnce


class LineInput(FocusAtOnce, Input):
    """The input of an InputLine, which gets its text at once: the key after Enter is for another widget."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer", "Done", show=False),
        Binding("escape", "cancel", "Cancel", show=False),
    ]

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, compact=True, select_on_focus=False)
        self.cursor_blink = False  # blinking writes to the terminal all the time

    def action_answer(self) -> None:
        """Take what was typed."""
        self.query_ancestor(InputLine).answered(self.value)

    def action_cancel(self) -> None:
        """Take nothing."""
        self.query_ancestor(InputLine).cancelled()


class InputLine(Horizontal):
    """A line at the bottom of a pane with an input among its parts. Hidden until open()."""

    DEFAULT_CSS = """
    InputLine { height: 1; display: none; }
    InputLine Label { width: auto; }
    InputLine Input { width: 1fr; height: 1; border: none; padding: 0; background: transparent; }
    """

    # --- for subclasses -----------------------------------------------------------------------------------------------

    def parts(self) -> Sequence[Widget]:
        """Return the widgets, of which one is a LineInput. Called once, the first time the line is shown."""
        raise NotImplementedError

    def typed(self, text: str) -> None:
        """React to what is typed so far."""

    def answered(self, text: str) -> None:
        """React to the end of typing."""
        raise NotImplementedError

    def cancelled(self) -> None:
        """React to Escape."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------------------

    @property
    def input(self) -> LineInput:
        """The input; the line must have been opened."""
        return self.query_one(LineInput)

    def open(self) -> None:
        """Show the line, and focus its input."""
        if not self.children:
            self.mount(*self.parts())
        self.display = True
        self.input.focus()

    def set_text(self, text: str) -> None:
        """Replace what is typed."""
        with self.input.prevent(Input.Changed):
            self.input.value = text
        self.input.cursor_position = len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.typed(event.input.value)  # not the event's, which may be an older one
