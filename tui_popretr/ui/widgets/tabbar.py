"""The line with the names of the tabs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget


class TabBar(Widget):
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

    def _labels(self) -> list[str]:
        full = [f" {number} {name} " for number, name in enumerate(self._names, 1)]
        if sum(map(len, full)) <= self.size.width:
            return full
        return [label if index == self._shown else f" {index + 1} " for index, label in enumerate(full)]

    def render(self) -> Text:
        line = Text(no_wrap=True, overflow="crop")
        for index, label in enumerate(self._labels()):
            line.append(label, Style(bold=True, reverse=True) if index == self._shown else Style(dim=True))
        return line

    def on_click(self, event: events.Click) -> None:
        x = 0
        for index, label in enumerate(self._labels()):
            if x <= event.x < x + len(label):
                self.post_message(self.Chosen(index))
            x += len(label)
