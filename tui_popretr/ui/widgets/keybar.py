"""The bottom line with the keys: those of the focused pane first, help and quit always."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.widget import Widget

#: Always shown, at the end.
_LAST = ("help", "ask_quit", "detach")


class KeyBar(Widget):
    """Shows the active bindings with show=True; keys that do not fit are only in the help."""

    def __init__(self) -> None:
        super().__init__(id="keybar")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render(self) -> Text:
        first: list[Binding] = []
        last: list[Binding] = []
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in seen:
                seen.add(binding.action)
                (last if binding.action in _LAST else first).append(binding)
        end = [self._label(binding) for binding in last]
        room = self.size.width - sum(label.cell_len for label in end)
        line = Text(no_wrap=True, overflow="crop")
        for binding in first:
            label = self._label(binding)
            if label.cell_len <= room:
                room -= label.cell_len
                line.append_text(label)
        line.append(" " * max(0, room))
        for label in end:
            line.append_text(label)
        return line

    def _label(self, binding: Binding) -> Text:
        click = Style(meta={"@click": f"app.press('{binding.key}')"})
        label = Text(f" {self.app.get_key_display(binding)}", Style(bold=True) + click)
        return label.append(f" {binding.description} ", Style(dim=True) + click)
