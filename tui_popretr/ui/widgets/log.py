"""The log tab: the program's own log."""

from __future__ import annotations

from collections.abc import Set

from textual.scroll_view import ScrollView

from tui_popretr.ui.view import View


class LogTab(ScrollView, can_focus=True):
    """Placeholder."""

    def refresh_view(self, view: View, changed: Set[str]) -> None:
        """Draw what is new. `changed` are the ids of the clients that changed.

        Called at most at 10 Hz and only while the tab is shown; when it comes to be shown, with the ids of all clients.
        """

    def render(self) -> str:
        return "log"
