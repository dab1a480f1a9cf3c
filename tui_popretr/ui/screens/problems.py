"""A list of problems, for which a notice has no room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_popretr.ui.model.cells import sanitize


class ProblemsScreen(ModalScreen[None]):
    """Lists problems until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss", "Close", key_display="esc")]

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._problems = problems

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            text = Text(f"{self._title}\n\n", "bold")
            for problem in self._problems:
                text.append(f"✗ {sanitize(problem)}\n", "not bold")
            text.append("\nesc", "bold reverse")
            text.append(" close", "not bold")
            yield Static(text)
