"""The command palette: every action, and every client."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.screen import Screen

from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.filtering import RULE, Words
from tui_popretr.ui.widgets.body import TABS

if TYPE_CHECKING:
    from tui_popretr.ui.shell.app import Dashboard

_HERE = "in the focused pane"
#: Actions for which a palette is no help.
_MOVING = frozenset({"move", "page", "edge", "sideways", "top", "bottom", "cancel", "submit"})
#: The most clients that are offered at once.
_CLIENTS = 50


class DashboardCommands(Provider):
    """The dashboard's actions and clients."""

    async def discover(self) -> Hits:
        for title, action, explained in self._actions():
            yield DiscoveryHit(title, partial(self._dashboard.run_action, action), help=explained)
        for title, node, action in self._pane_actions():
            yield DiscoveryHit(title, partial(self._dashboard.run_action, action, node), help=_HERE)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, action, explained in self._actions():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), partial(self._dashboard.run_action, action), help=explained)
        for title, node, action in self._pane_actions():
            if (score := matcher.match(title)) > 0:
                run = partial(self._dashboard.run_action, action, node)
                yield Hit(score, matcher.highlight(title), run, help=_HERE)
        words = Words(query)
        offered = 0
        for client, view in self._dashboard.view.clients.items():
            text = f"{client} {view.info.server} {view.info.recip}"
            if offered < _CLIENTS and words.match(text):
                offered += 1
                title = f"Go to {sanitize(client)}"
                explained = sanitize(f"{view.state.word} · {view.info.server} · for {view.info.recip}")
                yield Hit(0.5, title, partial(self._dashboard.go_to, client), help=explained)

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _pane_actions(self) -> Iterator[tuple[str, DOMNode, str]]:
        """Yield the actions of the pane that had the focus: what it is called, and where and how it is run."""
        if self.focused is None:
            return
        for node in self.focused.ancestors_with_self:
            if isinstance(node, Screen):
                return
            for binding in Binding.make_bindings(type(node).__dict__.get("BINDINGS", ())):
                if binding.description and binding.action.partition("(")[0] not in _MOVING:
                    yield binding.description, node, binding.action

    def _actions(self) -> Iterator[tuple[str, str, str]]:
        client = self._dashboard.selected
        if client is not None:
            client = sanitize(client)
            yield f"Run {client} now", "run_now", "whatever its schedule"
            yield f"Pause or resume {client}", "pause", "a running session goes on"
            yield f"Stop the session of {client}", "stop_session", "with QUIT; a message in flight is kept"
            yield f"Details of {client}", "details", "settings, TLS, past sessions, last error"
        yield "Run all clients now", "run_all", "whatever their schedules"
        yield "Reload the configuration", "reload", "a problem leaves the old one in force"
        yield "Edit the configuration", "edit", "in $VISUAL or $EDITOR, at the selected client"
        yield "Filter the clients", "filter", "by id, server, recipient, state or error"
        yield "Sort the clients", "sort", "by configuration, state, due time, name or messages"
        for number, name in enumerate(TABS, 1):
            yield f"Show {name}", f"tab({number - 1})", "a tab"
        yield "Transcript of all clients, or of the selected one", "all_dialogue", "changes between the two"
        yield "Exchanges or dialogue", "form", "the two forms of the transcript"
        yield "Filter the exchanges", "filter_exchanges", RULE
        yield "List what is on the server", "list_waiting", "of the selected client, in a session of its own"
        yield "Full screen", "full", "the focused part alone, or both"
        yield "Next theme", "next_theme", "the terminal's own colours among them"
        yield "Help", "help", "every key"
        yield "To the shell", "suspend_process", "fg comes back; retrieval goes on"
        if self._dashboard.check_action("detach", ()):
            yield "Detach", "detach", "the daemon goes on"
        else:
            yield "Quit", "ask_quit", "sessions end with QUIT"
