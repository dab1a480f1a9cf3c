"""The focus is taken at once, so that the next key is for the widget that has it."""

from __future__ import annotations

from typing import TypeVar

from textual.widget import Widget

_Widget = TypeVar("_Widget", bound=Widget)


class FocusAtOnce:
    """Mixed into a widget. Textual's own focus() takes effect after the keys that have arrived before."""

    def focus(self: _Widget, scroll_visible: bool = True) -> _Widget:  # type: ignore[misc]
        """Focus this widget."""
        self.screen.set_focus(self, scroll_visible)
        return self
