"""The question before quitting while sessions run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_popretr.ui.model.cells import sanitize

#: The number of sessions that are named; the others are counted.
_NAMED = 5


class QuitScreen(ModalScreen[bool]):
    """Asks whether to quit; its result is the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,ctrl+c", "dismiss(True)", "Yes, quit", key_display="y"),
        Binding("n,escape,q", "dismiss(False)", "No", key_display="n"),
    ]

    def __init__(self, running: Sequence[str]) -> None:
        super().__init__()
        self._sessions = running

    def compose(self) -> ComposeResult:
        many = len(self._sessions) > 1
        names = sanitize(", ".join(self._sessions[:_NAMED]))
        more = f" and {len(self._sessions) - _NAMED} more" if len(self._sessions) > _NAMED else ""
        question = Text()
        question.append(f"{len(self._sessions)} sessions run" if many else "A session runs", "bold")
        question.append(f": {names}{more}.\n{'They end' if many else 'It ends'} with QUIT, within 10 seconds.\n\n")
        question.append("Quit?  ", "bold")
        question.append("y", "bold reverse")
        question.append(" yes   ")
        question.append("n", "bold reverse")
        question.append(" no")
        with Vertical():
            yield Static(question)
