"""The bottom line with the keys: those of the focused pane first, help and quit always; nothing below a dialog."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding

from tui_popretr.ui.widgets.oneline import OneLine
from tui_popretr.ui.widgets.styled import ACCENT, DIM, PLAIN, Cell

#: Always shown, at the end.
_LAST = ("help", "ask_quit", "detach")


class KeyBar(OneLine):
    """Shows the active bindings with show=True; keys that do not fit are only in the help. A click presses a key."""

    def __init__(self) -> None:
        super().__init__(id="keybar")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())
        self.app.screen_change_signal.subscribe(self, lambda _: self.refresh())

    def cells(self, size: int) -> Iterator[Cell]:
        return (Cell(text, style) for text, style, _ in self._labels(size))

    def on_click(self, event: events.Click) -> None:
        x = 0
        for text, _, key in self._labels(self.size.width):
            if x <= event.x < x + cell_len(text) and key:
                self.app.simulate_key(key)
            x += cell_len(text)

    def _labels(self, size: int) -> Iterator[tuple[str, Style, str]]:
        """Yield the texts that fit into `size` cells, with their styles and the keys that a click presses."""
        if self.app.screen is not self.screen:  # a dialog shows its keys itself
            return
        first: list[Binding] = []
        last: list[Binding] = []
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in seen:
                seen.add(binding.action)
                (last if binding.action in _LAST else first).append(binding)
        room = size - sum(self._width(binding) for binding in last)
        for binding in first:
            if self._width(binding) <= room:
                room -= self._width(binding)
                yield from self._label(binding)
        yield " " * max(0, room), PLAIN, ""
        for binding in last:
            yield from self._label(binding)

    def _width(self, binding: Binding) -> int:
        return sum(cell_len(text) for text, _, _ in self._label(binding))

    def _label(self, binding: Binding) -> Iterator[tuple[str, Style, str]]:
        yield f" {self.app.get_key_display(binding)}", ACCENT, binding.key
        yield f" {binding.description} ", DIM, binding.key
