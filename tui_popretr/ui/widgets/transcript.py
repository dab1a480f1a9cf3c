"""The transcript pane: the live dialogue of one client or of all."""

from __future__ import annotations

from textual.scroll_view import ScrollView

from tui_popretr.facts import DialogueLine


class TranscriptPane(ScrollView, can_focus=True):
    """Placeholder."""

    def add(self, lines: list[DialogueLine], dropped: int) -> None:
        """Take new lines, oldest first; `dropped` lines were lost before the first of them. Called at most at 10 Hz."""

    def show_client(self, client_id: str | None) -> None:
        """Show the dialogue of this client only, of all with None."""

    def render(self) -> str:
        return "transcript"
