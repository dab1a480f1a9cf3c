"""A list of problems, for which a notice has no room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.ui.model.parts import Line, Part
from tui_popretr.ui.screens.sheet import TextDialog


class ProblemsScreen(TextDialog):
    """Lists problems until it is closed."""

    DEFAULT_CSS = "ProblemsScreen > VerticalScroll { border: round $error; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "Back"), *TextDialog.BINDINGS]

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        super().__init__(title)
        self._problems = problems

    def parts(self) -> Iterator[Part]:
        for problem in self._problems:
            yield Line(f"✗ {problem}")
