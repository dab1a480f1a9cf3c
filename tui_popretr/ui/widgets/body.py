"""The dashboard between its first lines and its last: client list, details and tabs, and how they share the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast, runtime_checkable

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from tui_popretr.status import View
from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.layout import FRAME, Arrangement, arrangement, framed, list_height, short_list_height
from tui_popretr.ui.widgets import tabbar
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.details import DetailsPane
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.frame import Frame
from tui_popretr.ui.widgets.tabbar import TabBar
from tui_popretr.ui.widgets.titleline import TitleLine
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab

#: The names of the tabs. The first one is the transcript.
TABS: Final = ("Transcript", "Messages", "Log", "History", "On server", "Statistics")


_CLIENTS: Final = "Clients"


class Pane(Protocol):
    """A tab that shows the view."""

    @property
    def status(self) -> str:
        """What the frame shows of its state."""
        ...

    def refresh_view(self, view: View) -> None: ...


@runtime_checkable
class OfClient(Protocol):
    """A tab that shows the selected client."""

    def show_client(self, client: str | None) -> None: ...


def tab_class(number: int) -> type[Widget]:
    """Return the class of a tab after the first. It is imported now, since it is not on the first screen."""
    from tui_popretr.ui.widgets.history import HistoryTab
    from tui_popretr.ui.widgets.log import LogTab
    from tui_popretr.ui.widgets.messages import MessagesTab
    from tui_popretr.ui.widgets.statistics import StatisticsTab
    from tui_popretr.ui.widgets.waiting import ServerTab

    tabs: tuple[type[Widget], ...] = (MessagesTab, LogTab, HistoryTab, ServerTab, StatisticsTab)
    return tabs[number - 1]


class Body(Container):
    """Shows client list and tabs side by side, one above the other, or one of them, as the size allows."""

    def __init__(
        self, clients: ClientList, transcript: TranscriptTab, *, hidden: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """`hidden`: by the name of a table, the titles of columns that are not shown at first."""
        super().__init__(id="body")
        self._hidden = {name: list(titles) for name, titles in (hidden or {}).items()}
        self._tables: dict[str, FilteredTable[Any]] = {_CLIENTS: clients}
        clients.hide(self._hidden.get(_CLIENTS, ()))
        self._clients = clients
        self._transcript = transcript
        self._listed = Frame(clients, clients.filter_bar, id="listed")
        self._details = DetailsPane()
        self._below = Frame(self._details, id="below")
        self._right = Frame(id="right")
        self._terminal = Size()
        self._count = 0
        #: Whether only one of list and tabs is shown, whatever the size.
        self.full = False
        #: Whether the panes have frames.
        self.framed = False
        #: The index of the current tab.
        self.tab = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="left"):
            yield self._listed
            yield self._below
        with self._right:
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

    # --- layout -------------------------------------------------------------------------------------------------------

    def fit_to(self, size: Size, clients: int) -> None:
        """Arrange client list and tabs for the size of the terminal and the number of clients."""
        self._terminal, self._count = size, clients
        arranged = arrangement(*size)
        single = arranged is Arrangement.SINGLE or self.full
        self._set_framed(framed(*size))
        self.set_class(arranged is Arrangement.BESIDE and not single, "-beside")
        self.set_class(single, "-single")
        in_tabs = self.in_tabs
        left = self.query_one("#left")
        left.display = not single or not in_tabs
        self._right.display = not single or in_tabs
        # the lines of the list, and those of filter and frame around it
        around = int(self._clients.filter_bar.display) + (FRAME if self.framed else 0)
        height = size.height - (3 if self.framed else 2)
        stacked = arranged is Arrangement.STACKED and not single
        left.styles.height = list_height(clients, height) + around if stacked else "1fr"
        short = short_list_height(clients, height - around - FRAME) if self.framed and not stacked else None
        self._below.display = short is not None
        self._listed.styles.height = "1fr" if short is None else short + around
        self._show_labels()

    def _set_framed(self, value: bool) -> None:
        self.framed = value
        self.set_class(not value, "-plain")
        for frame in (self._listed, self._below, self._right):
            frame.set_class(value, "-framed")
        self.query_one(TabBar).display = not value
        self._transcript.set_titled(not value)

    def on_filter_bar_toggled(self) -> None:
        self.fit_to(self._terminal, self._count)

    def on_status_changed(self) -> None:
        self._show_labels()

    def _show_labels(self) -> None:
        """Show titles and states in the frames."""
        if self.framed:
            self._listed.set_labels(Content("Clients"), self._clients.status)
            self._below.set_labels(Content(sanitize(self._clients.selected or "")), "Enter: all")
            room = self._terminal.width * 9 // 20 if self.has_class("-beside") else self._terminal.width
            self._right.set_labels(tabbar.title(TABS, self.tab, room - 2 * FRAME), self._pane_status)

        for line in self.query(f"#pane-{self.tab} > TitleLine").results(TitleLine):
            line.display = not self.framed
            subject, _, words = self._pane_status.partition(" · ")
            line.set_text(subject, words)

    @property
    def _pane_status(self) -> str:
        return self._transcript.status if self.tab == 0 else cast("Pane", self._pane).status

    def focus_part(self, *, tabs: bool) -> None:
        """Bring the list or the tabs into view and focus it."""
        self.ensure_visible(tabs=tabs)
        (self._pane if tabs else self._clients).focus()

    def ensure_visible(self, *, tabs: bool) -> None:
        """If only one of list and tabs is shown, show this one."""
        left = self.query_one("#left")
        if not left.display or not self._right.display:
            left.display, self._right.display = not tabs, tabs

    # --- content ------------------------------------------------------------------------------------------------------

    def show_tab(self, index: int, view: View) -> None:
        """Show another tab; focus it if the tabs have the focus, or are hidden."""
        in_tabs = self.in_tabs
        self.tab = index
        self.query_one("#panes", ContentSwitcher).current = f"pane-{index}"
        self.refresh_pane(view)
        self.query_one(TabBar).show(index)
        self._show_labels()
        if in_tabs or not self._right.display:
            self.focus_part(tabs=True)

    def show_server(self, view: View) -> None:
        """Show the tab "On server", and list the mail of the selected client."""
        from tui_popretr.ui.widgets.waiting import ServerTab

        self.show_tab(TABS.index("On server"), view)
        pane = self._pane
        if isinstance(pane, ServerTab) and self._clients.selected is not None:
            pane.show_client(self._clients.selected)
            pane.action_list()

    def refresh_pane(self, view: View) -> None:
        """Update the current tab. The transcript gets its lines by itself."""
        if self.tab > 0:
            cast("Pane", self._pane).refresh_view(view)

    def refresh_details(self, view: View) -> None:
        """Update the details below the client list."""
        if self._below.display:
            self._details.refresh_view(view, self._clients.selected)

    def selection_changed(self, view: View) -> None:
        """Show what belongs to another client."""
        self._show_labels()
        self.refresh_details(view)

    @property
    def hidden_columns(self) -> dict[str, list[str]]:
        """By the name of a table, the titles of columns that are not shown."""
        hidden = {**self._hidden, **{name: table.hidden_titles for name, table in self._tables.items()}}
        return {name: titles for name, titles in hidden.items() if titles}

    @property
    def _pane(self) -> Widget:
        """The pane of the current tab; it is created the first time."""
        place = self.query_one(f"#pane-{self.tab}")
        if not place.children:
            pane = tab_class(self.tab)()
            place.mount(pane)
            if isinstance(pane, OfClient):
                pane.watch(self._clients, "selected", pane.show_client)
            if isinstance(pane, FilteredTable):
                place.mount(pane.filter_bar)
                if pane.TITLED:
                    place.mount(TitleLine(), before=0)
                self._tables[TABS[self.tab]] = pane
                pane.hide(self._hidden.get(TABS[self.tab], ()))
        return next(each for each in place.children if not isinstance(each, TitleLine))
