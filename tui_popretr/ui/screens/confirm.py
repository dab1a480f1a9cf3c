"""A question that is answered with y or n."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_popretr.ui.model.cells import sanitize


class ConfirmScreen(ModalScreen[bool]):
    """Asks before something that cannot be undone; its result is the answer. Only y means yes."""

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; }
    ConfirmScreen > Vertical {
        width: auto; max-width: 90%; height: auto; max-height: 90%; border: round $warning; padding: 0 1;
    }
    ConfirmScreen Static { width: auto; max-width: 100%; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No", key_display="n"),
    ]

    def __init__(self, what: str, details: str, question: str) -> None:
        """`what` is emphasised; `details` may have several lines."""
        super().__init__()
        self._what, self._details, self._question = what, details, question

    def compose(self) -> ComposeResult:
        text = Text()
        text.append(sanitize(self._what), "bold")
        text.append("\n".join(map(sanitize, self._details.split("\n"))))
        text.append(f"\n\n{sanitize(self._question)}  ", "bold")
        text.append("y", "bold cyan")
        text.append(" yes   ")
        text.append("n", "bold cyan")
        text.append(" no")
        with Vertical():
            yield Static(text)
