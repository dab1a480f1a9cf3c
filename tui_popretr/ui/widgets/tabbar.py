"""The names of the tabs: a line of their own, or the title of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.style import Style
from textual import events
from textual.content import Content
from textual.message import Message

from tui_popretr.ui.widgets.oneline import OneLine
from tui_popretr.ui.widgets.styled import ACTIVE, DIM, Cell

_CURRENT: Final = ACTIVE + Style(reverse=True)


def labels(names: Sequence[str], shown: int, room: int) -> list[str]:
    """Return the labels of the tabs: with all names if they fit into `room` cells, else with the current one's."""
    full = [f" {number} {name} " for number, name in enumerate(names, 1)]
    if sum(map(len, full)) <= room:
        return full
    return [label if index == shown else f" {index + 1} " for index, label in enumerate(full)]


def title(names: Sequence[str], shown: int, room: int) -> Content:
    """Return the labels as the title of a frame. A click shows a tab."""
    pieces = [
        f"[@click=app.tab({index})][{'bold' if index == shown else 'dim'}]{label.strip()}[/][/]"
        for index, label in enumerate(labels(names, shown, room))
    ]
    return Content.from_markup("  ".join(pieces))


class TabBar(OneLine):
    """Shows the names of the tabs and their keys."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="tabbar")
        self._names = tuple(names)
        self._shown = 0

    def show(self, index: int) -> None:
        """Mark the tab that is shown."""
        self._shown = index
        self.refresh()

    def cells(self, size: int) -> Sequence[Cell]:
        shown = labels(self._names, self._shown, size)
        return [Cell(label, _CURRENT if index == self._shown else DIM) for index, label in enumerate(shown)]

    def on_click(self, event: events.Click) -> None:
        x = 0
        for index, label in enumerate(labels(self._names, self._shown, self.size.width)):
            if x <= event.x < x + len(label):
                self.post_message(self.Chosen(index))
            x += len(label)
