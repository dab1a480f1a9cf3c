"""The line of tabs above the pane that shows one of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget


class TabBar(Widget):
    """The names of the tabs with the keys that choose them, and at the right a remark where there is room."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="tabbar")
        self._names = tuple(names)
        self._shown = 0
        self._remark = ""

    def show(self, index: int, remark: str) -> None:
        """Mark the tab that is shown."""
        if (index, remark) != (self._shown, self._remark):
            self._shown, self._remark = index, remark
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
        room = self.size.width - line.cell_len - 1
        if self._remark and room > 4:
            remark = Text(self._remark, "dim", no_wrap=True)
            remark.truncate(room - 1, overflow="ellipsis")
            line.append(" " * (room - remark.cell_len))
            line.append_text(remark)
        return line

    def on_click(self, event: events.Click) -> None:
        x = 0
        for index, label in enumerate(self._labels()):
            if x <= event.x < x + len(label):
                self.post_message(self.Chosen(index))
            x += len(label)
