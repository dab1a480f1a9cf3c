"""The help: every key and its effect, generated from the bindings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

#: A heading and its bindings.
Section = tuple[str, Iterable[BindingType]]

_KEYS = 22


class HelpScreen(ModalScreen[None]):
    """Lists the bindings in sections."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", key_display="esc"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(help_text(self.app, self._sections))

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def help_text(app: App[int], sections: Sequence[Section]) -> Text:
    """Return the help: a line for each effect, with all its keys."""
    text = Text()
    for heading, bindings in sections:
        lines: dict[str, list[str]] = {}
        for binding in Binding.make_bindings(bindings):
            if binding.description:
                keys = lines.setdefault(binding.description, [])
                shown = app.get_key_display(binding) if not binding.key_display else binding.key_display
                if shown not in keys:
                    keys.append(shown)
        if lines:
            text.append(f"{heading}\n", "bold cyan")
            for description, keys in lines.items():
                text.append(set_cell_size(" ".join(keys), _KEYS), "bold")
                text.append(f" {description}\n")
            text.append("\n")
    text.append("esc", "bold reverse")
    text.append(" close")
    return text
