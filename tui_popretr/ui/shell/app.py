"""The dashboard: polls a source for facts ten times a second, shows them, and sends the user's commands to it."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input

from tui_popretr.commands import Command, PauseClient, PollAll, PollClient, Reload, ResumeClient, StopSession
from tui_popretr.facts import ClientPaused, ClientScheduled, ConfigurationRejected, ConfigurationReloaded, Fact
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.mailbox import Connection
from tui_popretr.status import ClientState, View
from tui_popretr.text import visible
from tui_popretr.ui.model.order import Order
from tui_popretr.ui.shell.palette import DashboardCommands
from tui_popretr.ui.shell.source import Source
from tui_popretr.ui.textual_private import EndingApp
from tui_popretr.ui.widgets.body import TABS, Body, tab_class
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.filterbar import FilterBar, FilterInput
from tui_popretr.ui.widgets.keybar import KeyBar
from tui_popretr.ui.widgets.tabbar import TabBar
from tui_popretr.ui.widgets.totals import TotalsBar
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.wording import reload_result

if TYPE_CHECKING:
    from tui_popretr.ui.screens.details import ClientDetails

#: The seconds between two polls for facts, and between two updates of what time alone changes.
DRAIN = 0.1
TICK = 1.0
#: The seconds for which a notice is shown.
NOTICE = 5.0

#: The themes that `t` goes through, where this Textual has them; the first follows the terminal's palette.
THEMES = ("ansi-dark", "ansi-light", "textual-dark", "textual-light", "nord", "gruvbox")


class Dashboard(EndingApp):
    """Shows the facts of a source until the user quits or the source ends."""

    TITLE = "tui-popretr"
    PRINTS_TRACEBACK = False  # run_dashboard raises the exception
    CSS_PATH = os.path.join(os.path.dirname(__file__), "dashboard.tcss")
    COMMANDS: ClassVar = {DashboardCommands}
    #: Set from the start: a change would style and draw the first screen twice.
    theme = Reactive(next(each for each in THEMES if each in BUILTIN_THEMES))
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
        Binding("left,h", "turn_tab(-1)", "Previous tab", show=False),
        Binding("right,l", "turn_tab(1)", "Next tab", show=False),
        Binding("a", "all_dialogue", "All/selected", show=False),
        Binding("escape", "step_back", "Back", show=False),
        Binding("ctrl+r", "reload", "Reload configuration", show=False),
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
        history: TranscriptFiles | None = None,
        detaches: bool = False,
        driver_class: type[Driver] | None = None,
    ) -> None:
        """`title` is shown in the line of totals; `history` is the transcript on disk, if one is written.

        `detaches`: sessions go on when the dashboard ends, so it asks nothing.
        """
        super().__init__(driver_class=driver_class)
        self.animation_level = "none"
        self._themes = [each for each in THEMES if each in self.available_themes]
        self.source = source
        self.view = View()
        self._heading = title
        self._history = history
        self._detaches = detaches
        self._answers: list[Future[str]] = []
        self._pausing: set[str] = set()
        self._all_dialogue = False
        self._details: ClientDetails | None = None

    # --- widgets ------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield TotalsBar(self._heading)
        clients = ClientList(self.source.boottime, self.source.now)
        yield Body(clients, TranscriptPane(self._history, now=self.source.now))
        yield KeyBar()

    def on_mount(self) -> None:
        if self.ending:  # the terminal was lost before all widgets were mounted
            return
        self._main = self.screen
        self._arrange()
        self._list.focus()
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
    def _filter(self) -> FilterBar:
        return self._main.query_one(FilterBar)

    @property
    def _shown(self) -> bool:
        """Whether the widgets exist. While the app closes, timers run for a moment longer than widgets exist."""
        try:
            return not self.ending and self._list.is_attached
        except NoMatches:
            return False

    @property
    def _transcript(self) -> TranscriptPane:
        return self._main.query_one(TranscriptPane)

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
        self._show_matches()

    def _show_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon; without one, nothing runs and nothing is planned."""
        self._main.query_one(TotalsBar).set_connection(connection)
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
        self._main.query_one(TotalsBar).refresh_view(self.view, self.source.boottime())
        self._refresh_details()

    def _refresh_details(self) -> None:
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
        """Leave the tabs, else remove the filter, else leave the full screen."""
        if self._body.in_tabs:
            self._body.focus_part(tabs=False)
        elif self._list.filter or self._filter.display:
            self._close_filter()
        elif self._body.full:
            self.action_full()

    # --- clients ------------------------------------------------------------------------------------------------------

    def on_client_list_selected(self) -> None:
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
        self._filter.set_text(self._list.filter)
        self._body.focus_part(tabs=False)

    def action_sort(self) -> None:
        self._list.action_sort()

    def on_client_list_sorted(self) -> None:
        order = self._list.order
        self.show_notice(f"sorted by {order.word}" if order is not Order.CONFIGURATION else "as in the configuration")

    # --- filter -------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        self._body.ensure_visible(tabs=False)
        self._filter.ask()
        self._arrange()
        self._show_matches()

    def on_client_list_filter_wanted(self) -> None:
        self.action_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        self._list.set_filter(event.value)
        self._show_matches()

    @on(Input.Submitted, "#filter")
    def _filter_entered(self) -> None:
        if not self._list.filter.strip():
            self._close_filter()
        self._list.focus()

    def _close_filter(self) -> None:
        self._list.set_filter("")
        self._filter.set_text("")
        self._filter.display = False
        self._arrange()
        self._list.focus()

    def _show_matches(self) -> None:
        self._filter.show_matches(len(self._list.rows), len(self.view.clients))

    # --- the rest -----------------------------------------------------------------------------------------------------

    def action_press(self, key: str) -> None:
        """Press a key: a click in the key bar."""
        self.simulate_key(key)

    def action_next_theme(self) -> None:
        if self._themes:
            known = self.theme in self._themes
            self.theme = self._themes[(self._themes.index(self.theme) + 1) % len(self._themes) if known else 0]
            self.show_notice(f"theme {self.theme}")

    def action_help(self) -> None:
        from tui_popretr.ui.screens.details import ClientDetails
        from tui_popretr.ui.screens.help import HelpScreen, Section

        panes = (
            ("Transcript", TranscriptPane),
            *((TABS[number], tab_class(number)) for number in range(1, len(TABS))),
            ("Client details", ClientDetails),
        )
        sections: list[Section] = [
            ("Everywhere", [each for each in Binding.make_bindings(self.BINDINGS) if self._is_offered(each.action)]),
            ("Client list", ClientList.BINDINGS),
            ("Filter", FilterInput.BINDINGS),
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
