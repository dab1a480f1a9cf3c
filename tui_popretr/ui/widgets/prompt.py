"""A line at the bottom of a pane in which the user types: what to search, where to save."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """Hidden until ask(). It posts what is typed, and the answer, with the purpose given to ask()."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-asking { display: block; }
    Prompt Label { width: auto; }
    Prompt Input { width: 1fr; height: 1; border: none; padding: 0; background: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    class Typed(Message):
        """The answer so far."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Answered(Message):
        """The answer; None if the user cancelled."""

        def __init__(self, purpose: str, text: str | None) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    def __init__(self) -> None:
        super().__init__()
        self._purpose = ""

    @property
    def asking(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-asking")

    def ask(self, purpose: str, question: str, text: str = "") -> None:
        """Show the question with `text` as a proposed answer, and take the focus."""
        self._purpose = purpose
        if not self.children:
            answer = Input(compact=True, select_on_focus=False)
            answer.cursor_blink = False  # blinking writes to the terminal all the time
            self.mount(Label("", markup=False), answer)
        self.add_class("-asking")
        self.query_one(Label).update(question)
        answer = self.query_one(Input)
        with answer.prevent(Input.Changed):
            answer.value = text
        answer.cursor_position = len(text)
        answer.focus()

    def action_cancel(self) -> None:
        self._end(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.asking:
            self.post_message(self.Typed(self._purpose, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._end(event.value)

    def _end(self, text: str | None) -> None:
        self.remove_class("-asking")
        self.post_message(self.Answered(self._purpose, text))
