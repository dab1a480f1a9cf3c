"""A frame around a pane, with its title and its state in the border. In a small terminal there is none."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.textual_private import set_border_labels


class StatusChanged(Message):
    """The state that a pane shows in its frame has changed: it follows or not, has a filter, marks."""


class Frame(Vertical):
    """Holds a pane. The frame around the focused widget has the accent's colour."""

    DEFAULT_CSS = """
    Frame { height: 1fr; }
    Frame.-framed {
        border: round $border-blurred;
        border-title-style: none;
        border-title-color: $foreground;
        border-subtitle-color: $foreground;
        border-subtitle-style: dim;
    }
    Frame.-framed:focus-within { border: round $border; }
    """

    def set_labels(self, title: Content, status: str) -> None:
        """Set the title, on the left of the upper edge, and the state, on the right of the lower one."""
        set_border_labels(self, title, Content(sanitize(status)))
