"""A dialog with text above the dashboard, as wide as the terminal allows, scrolled and closed by keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.parts import Part, typeset


class TextDialog(ModalScreen[None]):
    """Shows parts(). A subclass calls redraw() when they change."""

    DEFAULT_CSS = """
    TextDialog {
        align: center middle;
    }
    TextDialog > VerticalScroll {
        width: 100%;
        max-width: 104;
        height: auto;
        max-height: 100%;
        padding: 0 1;
        border: round $border;
        border-title-style: bold;
        background: $background;
        scrollbar-size-vertical: 1;
    }
    TextDialog Static {
        width: 100%;
        height: auto;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Back"),
        Binding("up,k", "scroll_by(-1)", "Up", show=False),
        Binding("down,j", "scroll_by(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "scroll_page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f,space", "scroll_page(1)", "Page down", show=False),
        Binding("home,g", "scroll_edge(-1)", "Beginning", show=False),
        Binding("end,G", "scroll_edge(1)", "End", show=False),
    ]

    #: The text about keys on the lower edge.
    KEYS: ClassVar[str] = "esc back"

    @property
    def keys(self) -> str:
        """The text about the keys that have an effect now."""
        return self.KEYS

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._drawn: tuple[int, tuple[Part, ...]] | None = None

    def parts(self) -> Iterable[Part]:
        """Return the content."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        # with the focus, a scrolling container takes the keys itself
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content(sanitize(self._title))
            box.border_subtitle = self.keys
            yield Static(markup=False)

    def on_resize(self) -> None:
        self.redraw()

    def on_mount(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the parts if they, or the width, have changed."""
        if not self.is_mounted:
            return
        width = self._text_width(self.app.size)
        parts = tuple(self.parts())
        if (width, parts) != self._drawn:
            self._drawn = (width, parts)
            self.query_one(Static).update(typeset(parts, width))

    def _text_width(self, terminal: Size) -> int:
        """Return the columns for text, without border, padding and scroll bar."""
        return max(1, min(terminal.width, 104) - 5)

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        self._box.scroll_relative(y=lines, animate=False)

    def action_scroll_page(self, direction: int) -> None:
        self._box.scroll_relative(y=direction * max(1, self._box.size.height - 1), animate=False)

    def action_scroll_edge(self, direction: int) -> None:
        if direction < 0:
            self._box.scroll_home(animate=False)
        else:
            self._box.scroll_end(animate=False)
