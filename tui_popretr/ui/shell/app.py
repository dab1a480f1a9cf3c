"""The dashboard: polls a source for facts ten times a second, shows them, and sends the user's commands to it."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from tui_popretr.commands import Command, PauseClient, PollAll, PollClient, Reload, ResumeClient, StopSession
from tui_popretr.facts import ClientPaused, ClientScheduled, ConfigurationRejected, ConfigurationReloaded, Fact
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.mailbox import Connection
from tui_popretr.status import ClientState, View
from tui_popretr.text import visible
from tui_popretr.ui.model import filtering
from tui_popretr.ui.model.memory import Remembered
from tui_popretr.ui.model.order import Order
from tui_popretr.ui.shell.palette import DashboardCommands
from tui_popretr.ui.shell.queries import Queries
from tui_popretr.ui.shell.source import Source
from tui_popretr.ui.shell.themes import THEMES, ThemedApp
from tui_popretr.ui.widgets.body import TABS, Body, tab_class
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.filterbar import FilterInput
from tui_popretr.ui.widgets.header import Header
from tui_popretr.ui.widgets.keybar import KeyBar
from tui_popretr.ui.widgets.tabbar import TabBar
from tui_popretr.ui.widgets.totals import TotalsBar
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab
from tui_popretr.wording import reload_result

if TYPE_CHECKING:
    from tui_popretr.ui.model.exchanges import Exchange
    from tui_popretr.ui.screens.details import ClientDetails
    from tui_popretr.ui.screens.exchange import Mail
    from tui_popretr.ui.widgets.exchanges import ExchangesTable
    from tui_popretr.ui.widgets.statistics import StatisticsTab
    from tui_popretr.ui.widgets.waiting import ServerTab

#: The seconds between two polls for facts, and between two updates of what time alone changes.
DRAIN = 0.1
TICK = 1.0
#: The seconds for which a notice is shown.
NOTICE = 5.0


class Dashboard(ThemedApp):
    """Shows the facts of a source until the user quits or the source ends."""

    TITLE = "tui-popretr"
    PRINTS_TRACEBACK = False  # run_dashboard raises the exception
    CSS_PATH = os.path.join(os.path.dirname(__file__), "dashboard.tcss")
    COMMANDS: ClassVar = {DashboardCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run_now", "Run now"),
        Binding("R", "run_all", "Run all", key_display="R"),
        Binding("p", "pause", "Pause/resume"),
        Binding("x", "stop_session", "Stop session"),
        Binding("tab", "next_pane", "Next pane", priority=True),
        Binding("shift+tab", "next_pane", "Next pane", show=False, priority=True),
        Binding("f", "full", "Full screen"),
        Binding("1", "tab(0)", "Transcript", show=False),
        Binding("2", "tab(1)", "Messages", show=False),
        Binding("3", "tab(2)", "Log", show=False),
        Binding("4", "tab(3)", "History", show=False),
        Binding("5", "tab(4)", "On server", show=False),
        Binding("6", "tab(5)", "Statistics", show=False),
        Binding("left,h", "turn_tab(-1)", "Previous tab", show=False),
        Binding("right,l", "turn_tab(1)", "Next tab", show=False),
        Binding("a", "all_dialogue", "All/selected", show=False),
        Binding("escape", "step_back", "Back", show=False),
        Binding("ctrl+r", "reload", "Reload configuration", show=False),
        Binding("E", "edit", "Edit the configuration", show=False, key_display="E"),
        Binding("t", "next_theme", "Theme", show=False),
        Binding("ctrl+p", "command_palette", "Commands", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q,ctrl+c", "ask_quit", "Quit", key_display="q"),
        Binding("q,ctrl+c", "detach", "Detach", key_display="q"),
        Binding("ctrl+q", "ask_quit", "Quit", show=False, priority=True),
        Binding("ctrl+q", "detach", "Detach", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "To the shell; fg comes back", show=False, priority=True),
    ]

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

        `detaches`: sessions go on when the dashboard ends, so it asks nothing. `theme` is for this terminal, unless
        the user has `remembered` another one. `config` is the path of the configuration.
        """
        self._remembered = remembered or Remembered()
        super().__init__(theme=self._remembered.theme or theme, driver_class=driver_class)
        self.source = source
        self.view = View()
        self._heading = title
        self._host = host
        self._config = config
        self._began = source.boottime()
        self._history = history
        self._detaches = detaches
        self._answers: list[Future[str]] = []
        self._queries = Queries(self)
        self._pausing: set[str] = set()
        self._all_dialogue = False
        self._theme_chosen = False
        #: The widgets with choices that are remembered.
        self._choices: tuple[ClientList, TranscriptTab, Body] | None = None
        self._details: ClientDetails | None = None

    # --- widgets ------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Header(self._host, self._heading)
        yield TotalsBar(self._heading)
        clients = ClientList(self.source.boottime, self.source.now)
        transcript = TranscriptPane(self._history, now=self.source.now)
        clients.order = next((each for each in Order if each.word == self._remembered.order), Order.CONFIGURATION)
        transcript.wrap, transcript.stamps = self._remembered.wrap, self._remembered.times
        tab = TranscriptTab(transcript, exchanges=self._remembered.exchanges)
        self._choices = clients, tab, Body(clients, tab, hidden=self._remembered.hidden)
        yield self._choices[-1]
        yield KeyBar()

    def on_mount(self) -> None:
        if self.ending:  # the terminal was lost before all widgets were mounted
            return
        self._main = self.screen
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
    def _list(self) -> ClientList:
        return self._main.query_one(ClientList)

    @property
    def _body(self) -> Body:
        return self._main.query_one(Body)

    @property
    def _shown(self) -> bool:
        """Whether the widgets exist. While the app closes, timers run for a moment longer than widgets exist."""
        try:
            return not self.ending and self._list.is_attached
        except NoMatches:
            return False

    @property
    def _transcript(self) -> TranscriptTab:
        return self._main.query_one(TranscriptTab)

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
        self._report_answers()
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
        self._main.query_one(TotalsBar).refresh_view(self.view, self.source.boottime())
        self._refresh_details()

    def _show_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon; without one, nothing runs and nothing is planned."""
        self._main.query_one(TotalsBar).set_connection(connection)
        self._main.query_one(Header).set_connection(connection)
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
        self._main.query_one(TotalsBar).refresh_view(self.view, self.source.boottime())
        self._refresh_details()

    def _show_time(self) -> None:
        self._main.query_one(Header).set_time(self.source.now(), self.source.boottime() - self._began)

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
        self._answers.append(self.source.perform(command))
        self.drain_soon()

    def drain_soon(self) -> None:
        """Look for an answer earlier than at the next regular time."""
        self.set_timer(DRAIN / 5, self.drain)

    def show_notice(self, text: str, *, error: bool = False) -> None:
        """Show a notice; it replaces an older one."""
        self.clear_notifications()
        self.notify(visible(text), severity="error" if error else "information", timeout=NOTICE, markup=False)

    def _report_answers(self) -> None:
        waiting: list[Future[str]] = []
        for answer in self._answers:
            if not answer.done():
                waiting.append(answer)
            elif (problem := answer.exception()) is not None:
                self.show_notice(str(problem), error=True)
            else:
                self.show_notice(answer.result())
        self._answers = waiting

    def action_run_now(self) -> None:
        if self.selected is not None:
            self.perform(PollClient(self.selected))

    def action_run_all(self) -> None:
        self.perform(PollAll())

    def action_pause(self) -> None:
        if (client := self.selected) is None:
            return
        state = self.view.clients[client].state
        if state is ClientState.PAUSED or client in self._pausing:
            self._pausing.discard(client)
            self.perform(ResumeClient(client))
        else:
            if state.running:
                self._pausing.add(client)
            self.perform(PauseClient(client))

    def action_stop_session(self) -> None:
        if self.selected is not None:
            self.perform(StopSession(self.selected))

    def action_reload(self) -> None:
        self.perform(Reload())

    # --- layout and focus --------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next_pane":
            return len(self.screen_stack) == 1
        return self._is_offered(action) and super().check_action(action, parameters)

    def _is_offered(self, action: str) -> bool:
        """Whether this dashboard has an action: it quits, with its sessions, or it detaches from a daemon."""
        return action != ("ask_quit" if self._detaches else "detach")

    def on_resize(self, event: Resize) -> None:
        if self._is_composed:
            self._arrange(event.size)

    @property
    def _is_composed(self) -> bool:
        return hasattr(self, "_main")

    def _arrange(self, size: Size | None = None) -> None:
        self._body.fit_to(size or self.size, len(self.view.clients))
        self._main.query_one(Header).display = self._body.framed
        self._main.query_one(TotalsBar).set_titled(not self._body.framed)

    def action_next_pane(self) -> None:
        self._body.focus_part(tabs=not self._body.in_tabs)

    def action_full(self) -> None:
        self._body.full = not self._body.full
        self._arrange()

    def action_tab(self, index: int) -> None:
        self._body.show_tab(index, self.view)

    def action_turn_tab(self, step: int) -> None:
        self.action_tab((self._body.tab + step) % len(TABS))

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        self.action_tab(event.index)

    def action_all_dialogue(self) -> None:
        self._all_dialogue = not self._all_dialogue
        self._show_dialogue()

    def _show_dialogue(self) -> None:
        self._transcript.show_client(None if self._all_dialogue else self.selected)

    def action_step_back(self) -> None:
        """Leave the tabs, else the full screen. A table removes its filter first."""
        if self._body.in_tabs:
            self._body.focus_part(tabs=False)
        elif self._body.full:
            self.action_full()

    def action_form(self) -> None:
        """Change the form of the transcript, and show it."""
        self.action_tab(0)
        self._transcript.action_form()

    def action_filter_exchanges(self) -> None:
        """Show the exchanges, and ask for a filter."""
        self.action_tab(0)
        self._transcript.action_filter_exchanges()

    def action_list_waiting(self) -> None:
        """List what waits on the server of the selected client."""
        self._body.show_server(self.view)

    def on_exchanges_table_opened(self, event: ExchangesTable.Opened) -> None:
        from tui_popretr.ui.screens.exchange import ExchangeScreen

        self.push_screen(ExchangeScreen(event.exchange, self._mail_of(event.exchange)))

    def _mail_of(self, exchange: Exchange) -> Mail | None:
        """Return the message that a command is about, if its delivery is known."""
        if exchange.message is None:
            return None
        wanted = exchange.session, exchange.message
        return next((each for each in reversed(self.view.mails) if (each[1].session, each[1].number) == wanted), None)

    def on_statistics_tab_wanted(self, event: StatisticsTab.Wanted) -> None:
        self._queries.read_statistics(event.tab, event.client)

    def on_server_tab_list_wanted(self, event: ServerTab.ListWanted) -> None:
        self._queries.list_waiting(event.tab, event.client)

    def on_server_tab_wanted(self, event: ServerTab.Wanted) -> None:
        self._queries.act(event.tab, event.action, event.client, event.messages)

    # --- clients ------------------------------------------------------------------------------------------------------

    def on_client_list_selected(self) -> None:
        self._body.selection_changed(self.view)
        if not self._all_dialogue:
            self._show_dialogue()

    def on_client_list_opened(self, event: ClientList.Opened) -> None:
        self._open(event.client)

    def action_details(self) -> None:
        if self.selected is not None:
            self._open(self.selected)

    def _open(self, client: str) -> None:
        from tui_popretr.ui.screens.details import ClientDetails

        self._details = ClientDetails(self.view, client)
        self.push_screen(self._details)

    def go_to(self, client: str) -> None:
        """Select a client, wherever it is, and show the list."""
        self._list.select(client)
        self._body.focus_part(tabs=False)

    def action_sort(self) -> None:
        self._list.action_sort()

    def on_client_list_sorted(self) -> None:
        order = self._list.order
        self.show_notice(f"sorted by {order.word}" if order is not Order.CONFIGURATION else "as in the configuration")

    def action_filter(self) -> None:
        self._body.ensure_visible(tabs=False)
        self._list.action_filter()

    # --- manners ------------------------------------------------------------------------------------------------------

    @property
    def remembered(self) -> Remembered:
        """The user's choices, for the next run."""
        if self._choices is None:
            return self._remembered
        clients, tab, body = self._choices  # the app has ended: nothing can be found in it any more
        return Remembered(
            theme=self.theme if self._theme_chosen else self._remembered.theme,
            order=clients.order.word,
            exchanges=tab.in_exchanges,
            wrap=tab.pane.wrap,
            times=tab.pane.stamps,
            hidden=body.hidden_columns,
        )

    def action_edit(self) -> None:
        """Open the configuration in the user's editor, and offer to read it again."""
        if self._config is None:
            self.show_notice("there is no configuration file to edit", error=True)
            return
        from tui_popretr.ui.shell import editor

        before = editor.content(self._config)
        try:
            words = editor.command(os.environ, self._config, editor.line_of(self._config, before, self.selected))
            with self.suspend():
                problem = editor.run(words)
        except (ValueError, SuspendNotSupported) as error:
            problem = f"no editor can be started: {error}"
        if problem:
            self.show_notice(problem, error=True)
        if editor.content(self._config) != before:
            self._offer_reload()

    def _offer_reload(self) -> None:
        from tui_popretr.ui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                self.action_reload()

        self.push_screen(ConfirmScreen("The configuration has changed.", "", "Read it again now?"), answered)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def action_next_theme(self) -> None:
        self._theme_chosen = True
        self.show_notice(f"theme {self.next_theme()}")

    def action_help(self) -> None:
        from tui_popretr.ui.screens.details import ClientDetails
        from tui_popretr.ui.screens.help import HelpScreen, Section
        from tui_popretr.ui.widgets.exchanges import ExchangesTable

        panes = (
            ("Transcript, both forms", TranscriptTab),
            ("Transcript", TranscriptPane),
            ("Exchanges", ExchangesTable),
            *((TABS[number], tab_class(number)) for number in range(1, len(TABS))),
            ("Client details", ClientDetails),
        )
        sections: list[Section] = [
            ("Everywhere", [each for each in Binding.make_bindings(self.BINDINGS) if self._is_offered(each.action)]),
            ("Client list", ClientList.BINDINGS),
            (f"Filter: {filtering.RULE}", FilterInput.BINDINGS),
        ]
        sections += [(title, pane.__dict__.get("BINDINGS", ())) for title, pane in panes]
        self.push_screen(HelpScreen(sections))

    def action_ask_quit(self) -> None:
        from tui_popretr.ui.screens.quit import QuitScreen

        if isinstance(self.screen, QuitScreen):
            return
        running = [each for each, client in self.view.clients.items() if client.state.running]
        if running:
            self.push_screen(QuitScreen(running), self._answered_quit)
        else:
            self.exit(0)

    def action_detach(self) -> None:
        self.exit(0)

    def _answered_quit(self, quit_: bool | None) -> None:
        if quit_:
            self.exit(0)

    def report(self, text: str) -> None:
        self.source.report(text)

    def get_default_screen(self) -> Screen[None]:
        return Screen(id="_default")
