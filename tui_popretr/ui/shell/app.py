"""The dashboard: what a source tells, and the user's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.commands import PauseClient, PollAll, PollClient, Reload, ResumeClient, StopSession
from tui_popretr.status import ClientState
from tui_popretr.ui.model.order import Order
from tui_popretr.ui.shell.live import LiveApp
from tui_popretr.ui.shell.palette import DashboardCommands
from tui_popretr.ui.widgets.body import TABS
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.tabbar import TabBar

if TYPE_CHECKING:
    from tui_popretr.ui.widgets.exchanges import ExchangesTable
    from tui_popretr.ui.widgets.statistics import StatisticsTab
    from tui_popretr.ui.widgets.waiting import ServerTab


class Dashboard(LiveApp):
    """Sends the user's commands to the source; ends when the user quits."""

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

    _all_dialogue = False  # or that of the selected client

    # --- commands -----------------------------------------------------------------------------------------------------

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

    # --- layout and focus --------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next_pane":
            return len(self.screen_stack) == 1
        return self._is_offered(action) and super().check_action(action, parameters)

    def _is_offered(self, action: str) -> bool:
        """Whether this dashboard has an action: it quits, with its sessions, or it detaches from a daemon."""
        return action != ("ask_quit" if self._detaches else "detach")

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

        self.push_screen(ExchangeScreen(event.exchange, self.view.mails))

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

    # --- configuration ------------------------------------------------------------------------------------------------

    def action_reload(self) -> None:
        self.perform(Reload())

    def action_edit(self) -> None:
        """Open the configuration in the user's editor, and offer to read it again."""
        if self._config is None:
            self.show_notice("there is no configuration file to edit", error=True)
            return
        from tui_popretr.ui.shell import editor

        problem, changed = editor.edit(self, self._config, self.selected)
        if problem:
            self.show_notice(problem, error=True)
        if changed:
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
        from tui_popretr.ui.screens.help import HelpScreen
        from tui_popretr.ui.shell.keys import dashboard_sections

        everywhere = [each for each in Binding.make_bindings(self.BINDINGS) if self._is_offered(each.action)]
        self.push_screen(HelpScreen(dashboard_sections(everywhere)))

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
