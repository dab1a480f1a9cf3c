"""A line at the bottom of a pane that asks a question: what to search, where to save."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.widget import Widget
from textual.widgets import Label

from tui_popretr.ui.widgets.inputline import InputLine, LineInput

#: Gets what is typed.
Take = Callable[[str], None]
#: Gets the answer; None if the user cancelled.
TakeAnswer = Callable[[str | None], None]


class Prompt(InputLine):
    """Hidden until ask()."""

    def __init__(self) -> None:
        super().__init__()
        self._before: Widget | None = None
        self._answer: TakeAnswer | None = None
        self._typed: Take | None = None

    @property
    def asking(self) -> bool:
        """Whether it is shown."""
        return bool(self.display)

    def ask(self, question: str, answer: TakeAnswer, *, text: str = "", typed: Take | None = None) -> None:
        """Show the question with `text` as a proposed answer, and have the focus until the user has answered.

        `typed` gets the text after each key, `answer` in the end.
        """
        if not self.has_focus_within:
            self._before = self.screen.focused
        self._answer, self._typed = answer, typed
        self.open()
        self.query_one(Label).update(question)
        self.set_text(text)

    def parts(self) -> Sequence[Widget]:
        return Label("", markup=False), LineInput()

    def typed(self, text: str) -> None:
        if self._typed is not None:
            self._typed(text)

    def answered(self, text: str) -> None:
        self._end(text)

    def cancelled(self) -> None:
        self._end(None)

    def _end(self, text: str | None) -> None:
        self.display = False
        if self._before is not None:
            self._before.focus()
        if self._answer is not None:
            self._answer(text)
