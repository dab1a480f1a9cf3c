"""The help: every key and its effect, generated from the bindings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.ui.model.parts import Heading, Pair, Part
from tui_popretr.ui.screens.sheet import TextDialog

#: A heading and its bindings.
Section = tuple[str, Iterable[BindingType]]


class HelpScreen(TextDialog):
    """Lists the bindings in sections."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", "Back"), *TextDialog.BINDINGS]

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__("Help")
        self._sections = sections

    def parts(self) -> Iterator[Part]:
        for heading, bindings in self._sections:
            effects: dict[str, list[str]] = {}
            for binding in Binding.make_bindings(bindings):
                if binding.description:
                    keys = effects.setdefault(binding.description, [])
                    shown = binding.key_display or self.app.get_key_display(binding)
                    if shown not in keys:
                        keys.append(shown)
            if effects:
                yield Heading(heading)
                for effect, keys in effects.items():
                    yield Pair(" ".join(keys), effect)
