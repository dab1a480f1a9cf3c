"""The dashboard between its first and its last line: the client list, the tabs, and how they share the screen."""

from __future__ import annotations

from typing import Final, Protocol, cast

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from tui_popretr.status import View
from tui_popretr.ui.model.layout import Arrangement, arrangement, list_height
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.filterbar import FilterBar
from tui_popretr.ui.widgets.tabbar import TabBar
from tui_popretr.ui.widgets.transcript import TranscriptPane

#: The names of the tabs. The first one is the transcript.
TABS: Final = ("Transcript", "Messages", "Log", "History")


class Pane(Protocol):
    """A tab that shows the view."""

    def refresh_view(self, view: View) -> None: ...


def tab_class(number: int) -> type[Widget]:
    """Return the class of a tab after the first. It is imported now, since it is not on the first screen."""
    from tui_popretr.ui.widgets.history import HistoryTab
    from tui_popretr.ui.widgets.log import LogTab
    from tui_popretr.ui.widgets.messages import MessagesTab

    tabs: tuple[type[Widget], ...] = (MessagesTab, LogTab, HistoryTab)
    return tabs[number - 1]


class Body(Container):
    """Shows client list and tabs side by side, one above the other, or one of them, as the size allows."""

    def __init__(self, clients: ClientList, transcript: TranscriptPane) -> None:
        super().__init__(id="body")
        self._clients = clients
        self._transcript = transcript
        #: Whether only one of list and tabs is shown, whatever the size.
        self.full = False
        #: The index of the current tab.
        self.tab = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="left"):
            yield self._clients
            yield FilterBar()
        with Vertical(id="right"):
            yield TabBar(TABS)
            with ContentSwitcher(id="panes", initial="pane-0"):
                yield Vertical(self._transcript, id="pane-0")
                for number in range(1, len(TABS)):
                    yield Vertical(id=f"pane-{number}")

    @property
    def in_tabs(self) -> bool:
        """Whether the tabs have the focus."""
        focused = self.screen.focused
        return focused is not None and any(each.id == "right" for each in focused.ancestors)

    def fit_to(self, size: Size, clients: int) -> None:
        """Arrange client list and tabs for the size of the terminal and the number of clients."""
        width, height = size
        arranged = arrangement(width, height)
        single = arranged is Arrangement.SINGLE or self.full
        self.set_class(arranged is Arrangement.BESIDE and not single, "-beside")
        self.set_class(single, "-single")
        in_tabs = self.in_tabs
        left, right = self.query_one("#left"), self.query_one("#right")
        left.display = not single or not in_tabs
        right.display = not single or in_tabs
        lines: int | str = "1fr"
        if arranged is Arrangement.STACKED and not single:
            lines = list_height(clients, height - 2) + self.query_one(FilterBar).display
        left.styles.height = lines

    def focus_part(self, *, tabs: bool) -> None:
        """Bring the list or the tabs into view and focus it."""
        self.ensure_visible(tabs=tabs)
        (self._pane if tabs else self._clients).focus()

    def ensure_visible(self, *, tabs: bool) -> None:
        """If only one of list and tabs is shown, show this one."""
        left, right = self.query_one("#left"), self.query_one("#right")
        if not left.display or not right.display:
            left.display, right.display = not tabs, tabs

    def show_tab(self, index: int, view: View) -> None:
        """Show another tab; focus it if the tabs have the focus, or are hidden."""
        in_tabs = self.in_tabs
        self.tab = index
        self.query_one("#panes", ContentSwitcher).current = f"pane-{index}"
        self.refresh_pane(view)
        self.query_one(TabBar).show(index)
        if in_tabs or not self.query_one("#right").display:
            self.focus_part(tabs=True)

    def refresh_pane(self, view: View) -> None:
        """Update the current tab. The transcript gets its lines by itself."""
        if self.tab > 0:
            cast("Pane", self._pane).refresh_view(view)

    @property
    def _pane(self) -> Widget:
        """The pane of the current tab; it is created the first time."""
        place = self.query_one(f"#pane-{self.tab}")
        if not place.children:
            place.mount(tab_class(self.tab)())
        return place.children[0]
