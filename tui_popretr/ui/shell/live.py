"""A source on the screen: polled for facts ten times a second, and shown in the widgets of the dashboard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from tui_popretr.commands import Command
from tui_popretr.facts import ClientPaused, ClientScheduled, ConfigurationRejected, ConfigurationReloaded, Fact
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.mailbox import Connection
from tui_popretr.status import View
from tui_popretr.text import visible
from tui_popretr.ui.model.memory import Remembered
from tui_popretr.ui.model.order import Order
from tui_popretr.ui.shell.queries import Queries
from tui_popretr.ui.shell.source import Source
from tui_popretr.ui.shell.themes import THEMES, ThemedApp
from tui_popretr.ui.widgets.body import Body
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.header import Header
from tui_popretr.ui.widgets.keybar import KeyBar
from tui_popretr.ui.widgets.totals import TotalsBar
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab
from tui_popretr.wording import reload_result

if TYPE_CHECKING:
    from tui_popretr.ui.screens.details import ClientDetails

#: The seconds between two polls for facts, and between two updates of what time alone changes.
DRAIN = 0.1
TICK = 1.0
#: The seconds for which a notice is shown.
NOTICE = 5.0


class LiveApp(ThemedApp):
    """Shows the facts of a source until the source ends."""

    TITLE = "tui-popretr"
    PRINTS_TRACEBACK = False  # run_dashboard raises the exception
    CSS_PATH = os.path.join(os.path.dirname(__file__), "dashboard.tcss")

    def __init__(
        self,
        source: Source,
        *,
        title: str = "",
        host: str = "",
        history: TranscriptFiles | None = None,
        detaches: bool = False,
        theme: str = THEMES[0],
        remembered: Remembered | None = None,
        config: str | None = None,
        driver_class: type[Driver] | None = None,
    ) -> None:
        """`title` and `host` are shown at the top; `history` is the transcript on disk, if one is written.

        `detaches`: sessions go on when the app ends. `theme` is for this terminal, unless the user has `remembered`
        another one. `config` is the path of the configuration.
        """
        self._remembered = known = remembered or Remembered()
        super().__init__(theme=known.theme or theme, driver_class=driver_class)
        self.source = source
        self.view = View()
        self._detaches = detaches
        self._config = config
        self._began = source.boottime()
        self._queries = Queries(self)
        #: The clients whose running session goes on until they are paused.
        self._pausing: set[str] = set()
        self._theme_chosen = False
        self._details: ClientDetails | None = None
        self._built = False
        self._header = Header(host, title)
        self._totals = TotalsBar(title)
        self._list = ClientList(source.boottime, source.now)
        self._list.order = next((each for each in Order if each.word == known.order), Order.CONFIGURATION)
        pane = TranscriptPane(history, now=source.now)
        pane.wrap, pane.stamps = known.wrap, known.times
        self._transcript = TranscriptTab(pane, exchanges=known.exchanges)
        self._body = Body(self._list, self._transcript, hidden=known.hidden)

    # --- widgets ------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self._header
        yield self._totals
        yield self._body
        yield KeyBar()

    def on_mount(self) -> None:
        if self.ending:  # the terminal was lost before all widgets were mounted
            return
        self._built = True
        self._arrange()
        self._list.focus()
        self._show_time()
        self.set_interval(DRAIN, self.drain)
        self.set_interval(TICK, self.tick)
        self.drain()

    @property
    def selected(self) -> str | None:
        """The id of the selected client."""
        return self._list.selected

    @property
    def _shown(self) -> bool:
        """Whether the widgets exist. While the app closes, timers run for a moment longer than widgets exist."""
        return not self.ending and self._list.is_attached

    def on_resize(self, event: Resize) -> None:
        if self._built:
            self._arrange(event.size)

    def _arrange(self, size: Size | None = None) -> None:
        self._body.fit_to(size or self.size, len(self.view.clients))
        self._header.display = self._body.framed
        self._totals.set_titled(not self._body.framed)

    @property
    def remembered(self) -> Remembered:
        """The user's choices, for the next run."""
        return Remembered(
            theme=self.theme if self._theme_chosen else self._remembered.theme,
            order=self._list.order.word,
            exchanges=self._transcript.in_exchanges,
            wrap=self._transcript.pane.wrap,
            times=self._transcript.pane.stamps,
            hidden=self._body.hidden_columns,
        )

    # --- facts --------------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Poll the source and show what is new."""
        if not self._shown:
            return
        alive = self.source.alive
        drained = self.source.drain()
        if drained.facts or drained.view is not None:
            self._take(drained.facts, drained.view)
        if drained.connection is not None:
            self._show_connection(drained.connection)
        if drained.lines or drained.dropped:
            self._transcript.add(drained.lines, drained.dropped)
        self._queries.drain()
        if not alive:
            self.exit(0)

    def _take(self, facts: list[Fact], view: View | None) -> None:
        """Add facts to the view, or to another view that replaces it."""
        now = self.source.boottime()
        clients = len(self.view.clients)
        replaced: set[str] = set()
        if view is not None:
            replaced = {*self.view.clients, *view.clients}
            self.view = view
        changed = self.view.apply(facts, now, self.source.now()) | replaced
        if len(self.view.clients) != clients:
            self._arrange()
        for fact in facts:
            match fact:
                case ConfigurationReloaded() | ConfigurationRejected():
                    self._report_reload(fact)
                case ClientPaused(client) | ClientScheduled(client):
                    self._pausing.discard(client)
                case _:
                    pass
        self._body.refresh_pane(self.view)
        self._show_clients(changed)

    def _show_clients(self, changed: set[str]) -> None:
        self._list.refresh_view(self.view, changed)
        self._totals.refresh_view(self.view, self.source.boottime())
        self._refresh_details()

    def _show_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon; without one, nothing runs and nothing is planned."""
        self._totals.set_connection(connection)
        self._header.set_connection(connection)
        if not connection.connected:
            self._pausing.clear()
            self.view.forget_running()
            self._show_clients(set(self.view.clients))

    def tick(self) -> None:
        """Show what time alone changes."""
        if not self._shown:
            return
        self.view.apply((), self.source.boottime(), self.source.now())
        self._list.tick()
        self._body.refresh_pane(self.view)
        self._show_time()
        self._totals.refresh_view(self.view, self.source.boottime())
        self._refresh_details()

    def _show_time(self) -> None:
        self._header.set_time(self.source.now(), self.source.boottime() - self._began)

    def _refresh_details(self) -> None:
        self._body.refresh_details(self.view)
        if self._details is not None and self.screen is self._details:
            self._details.refresh_view(self.view)

    def _report_reload(self, fact: ConfigurationReloaded | ConfigurationRejected) -> None:
        if isinstance(fact, ConfigurationReloaded):
            self.show_notice(reload_result(fact))
        elif len(fact.problems) == 1:
            self.show_notice(f"the old configuration stays: {fact.problems[0]}", error=True)
        else:
            from tui_popretr.ui.screens.problems import ProblemsScreen

            self.push_screen(ProblemsScreen("The old configuration stays: the new one has problems.", fact.problems))

    # --- commands -----------------------------------------------------------------------------------------------------

    def perform(self, command: Command) -> None:
        """Send a command to the source; its answer becomes a notice."""
        self._queries.perform(command)

    def drain_soon(self) -> None:
        """Look for an answer earlier than at the next regular time."""
        self.set_timer(DRAIN / 5, self.drain)

    def show_notice(self, text: str, *, error: bool = False) -> None:
        """Show a notice; it replaces an older one."""
        self.clear_notifications()
        self.notify(visible(text), severity="error" if error else "information", timeout=NOTICE, markup=False)

    def report(self, text: str) -> None:
        self.source.report(text)

    def get_default_screen(self) -> Screen[None]:
        return Screen(id="_default")
