"""The transcript in its two forms: the lines of the dialogue as they went, or a row for each exchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui_popretr.logs.items import Line
from tui_popretr.ui.model.dialogue import of_client
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.titleline import TitleLine
from tui_popretr.ui.widgets.transcript import TranscriptPane

if TYPE_CHECKING:
    from tui_popretr.ui.widgets.exchanges import ExchangesTable


class TranscriptTab(Vertical):
    """Has the pane with the dialogue, and from the first `e` on the table with the exchanges, of the same client."""

    DEFAULT_CSS = "TranscriptTab { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "form", "Exchanges/dialogue"),
        Binding("ampersand", "filter_exchanges", "Filter exchanges", show=False, key_display="&"),
    ]

    def __init__(self, pane: TranscriptPane, *, exchanges: bool = False, title: str = "") -> None:
        """`exchanges`: these are shown first. `title` is shown before the client."""
        super().__init__()
        self.pane = pane
        self.in_exchanges = exchanges
        self._exchanges: ExchangesTable | None = None
        self._title = title
        self._title_line = TitleLine()

    def compose(self) -> ComposeResult:
        yield self._title_line
        yield self.pane

    def on_mount(self) -> None:
        self._show_form()

    def _show_form(self) -> None:
        self.pane.set_shown(not self.in_exchanges)
        if self.in_exchanges:
            self._table.restart(self.pane.dialogue.items(self.pane.client), self.pane.client)
        if self._exchanges is not None:
            self._exchanges.display = self.in_exchanges
        self._show_title()
        self.post_message(StatusChanged())

    @property
    def _table(self) -> ExchangesTable:
        """The table, which is made the first time: most dashboards never show it."""
        if self._exchanges is None:
            from tui_popretr.ui.widgets.exchanges import ExchangesTable

            self._exchanges = ExchangesTable()
            self.mount(self._exchanges, self._exchanges.filter_bar)
        return self._exchanges

    @property
    def shown(self) -> TranscriptPane | ExchangesTable:
        """The form that is shown."""
        return self._table if self.in_exchanges else self.pane

    def focus(self, scroll_visible: bool = True) -> TranscriptTab:
        """Focus the form that is shown."""
        self.shown.focus(scroll_visible)
        return self

    # --- the dialogue -------------------------------------------------------------------------------------------------

    def add(self, lines: Sequence[Line], dropped: int) -> None:
        """Add new lines, oldest first; `dropped` lines before them were lost. Called at most ten times a second."""
        self.pane.add(lines, dropped)
        if self.in_exchanges and (items := of_client(lines, dropped, self.pane.client)):
            self._table.add(items)

    def show_client(self, client_id: str | None) -> None:
        """Show this client only, all with None, from the end on."""
        self.pane.show_client(client_id)
        if self.in_exchanges:
            self._show_form()

    @property
    def client_at_cursor(self) -> str | None:
        """The client of the exchange under the cursor."""
        table = self._table
        return table.rows[table.cursor].session.client if table.rows else None

    # --- title --------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """What the frame shows."""
        return self.shown.status

    def set_titled(self, value: bool) -> None:
        """Show subject and state in a line above, or not, since a frame has them."""
        self._title_line.display = value

    def on_status_changed(self) -> None:
        self._show_title()

    def _show_title(self) -> None:
        subject, _, words = self.status.partition(" · ")
        self._title_line.set_text(f"{self._title}: {subject}" if self._title else subject, words)

    # --- actions ------------------------------------------------------------------------------------------------------

    def action_form(self) -> None:
        """Change between dialogue and exchanges."""
        focused = self.has_focus_within
        if self.in_exchanges and self._exchanges is not None and self._exchanges.filter:
            self._exchanges.filter_bar.close()
        self.in_exchanges = not self.in_exchanges
        self._show_form()
        if focused:
            self.focus()

    def action_filter_exchanges(self) -> None:
        """Show the exchanges, and ask for a filter."""
        if not self.in_exchanges:
            self.action_form()
        self._table.action_filter()
