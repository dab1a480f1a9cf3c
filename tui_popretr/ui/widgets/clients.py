"""The client list: a row for each client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from tui_popretr.status import View
from tui_popretr.ui.model.client_columns import COLUMNS, ClientColumn, Wanted, client_columns
from tui_popretr.ui.model.columns import Column, Placed
from tui_popretr.ui.model.order import Order, listed
from tui_popretr.ui.widgets.client_rows import Moment, client_cells
from tui_popretr.ui.widgets.drawntable import PlacedCell
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.tables import Table


class ClientList(FilteredTable[str]):
    """Shows the clients of a view by their ids. The cursor stays with its client when rows are sorted or filtered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Details"),
        Binding("s", "sort", "Sort"),
        *FilteredTable.BINDINGS[:3],
        *Table.BINDINGS[:-1],
        Binding("end,G", "edge(1)", "Last", show=False),
    ]
    COLUMNS = COLUMNS
    FOLLOWS = False

    #: The id of the client under the cursor.
    selected: reactive[str | None] = reactive(None, repaint=False)

    class Selected(Message):
        """Another client is selected, or none."""

        def __init__(self, client: str | None) -> None:
            super().__init__()
            self.client = client

    class Opened(Message):
        """The user wants to see more of a client."""

        def __init__(self, client: str) -> None:
            super().__init__()
            self.client = client

    class Sorted(Message):
        """The order changed."""

    def __init__(self, boottime: Callable[[], float], now: Callable[[], datetime]) -> None:
        super().__init__(id="clients")
        self._boottime = boottime
        self._now = now
        self._view = View()
        self._known: tuple[str, ...] = ()
        self._indexes: dict[str, int] = {}
        self._wanted = Wanted()
        self._at = self._moment()
        self.order = Order.CONFIGURATION

    # --- rows ---------------------------------------------------------------------------------------------------------

    def refresh_view(self, view: View, changed: Set[str]) -> None:
        """Draw the changed clients that are visible."""
        self._view = view
        known = tuple(view.clients)
        if known != self._known:
            self._known = known
            infos = [client.info for client in view.clients.values()]
            self._wanted = Wanted(
                max((cell_len(info.id) for info in infos), default=0),
                max((cell_len(info.server) for info in infos), default=0),
                max((cell_len(info.recip) for info in infos), default=0),
            )
            self._set_rows(self._listed())
            return
        self.draw_rows(row for row in self.visible_rows if self.rows[row] in changed)

    def tick(self) -> None:
        """Draw what time alone has changed: countdowns, rates, and the order where it depends on them."""
        if self.order.moves and (rows := self._listed()) != self.rows:
            self._set_rows(rows)
        else:
            self._at = self._moment()
            self.draw_timed()

    @property
    def matches(self) -> tuple[int, int]:
        return len(self.rows), len(self._known)

    def filter_changed(self) -> None:
        self._set_rows(self._listed())

    def empty(self) -> str:
        if self._known:
            return "No client matches. Esc removes the filter."
        return "There are no clients. Ctrl+R reads the configuration again when it has some."

    def status_words(self) -> Iterator[str]:
        yield from super().status_words()
        if self.order is not Order.CONFIGURATION:
            yield f"by {self.order.word}"

    def set_order(self, order: Order) -> None:
        """Sort the rows."""
        self.order = order
        self._set_rows(self._listed())
        self.post_message(self.Sorted())

    def _listed(self) -> tuple[str, ...]:
        return listed(self._view.clients, self.order, self._words)

    def _set_rows(self, rows: tuple[str, ...]) -> None:
        self._indexes = {each: index for index, each in enumerate(rows)}
        self.set_rows(rows)
        self.filter_bar.show_matches()

    def find(self, rows: Sequence[str], row: str, near: int) -> int:  # noqa: ARG002 - the dictionary is quicker
        return self._indexes.get(row, near)

    # --- the cursor ---------------------------------------------------------------------------------------------------

    def select(self, client: str) -> None:
        """Select a client; a filter that hides it is removed."""
        if client not in self._indexes and client in self._view.clients:
            self.filter_bar.close()
        if client in self._indexes:
            self.move_to(self._indexes[client])

    def cursor_moved(self) -> None:
        self.selected = self.rows[self.cursor] if self.rows else None

    def watch_selected(self, selected: str | None) -> None:
        self.post_message(self.Selected(selected))

    def choose(self, row: str) -> None:
        self.post_message(self.Opened(row))

    def choose_title(self, index: int) -> None:
        order = next((each for each in Order if each.column == index), Order.CONFIGURATION)
        self.set_order(order if order is not self.order else Order.CONFIGURATION)

    def action_sort(self) -> None:
        self.set_order(self.order.next)

    # --- drawing ------------------------------------------------------------------------------------------------------

    @property
    def main_column(self) -> int:
        return ClientColumn.ID

    def columns(self, room: int) -> tuple[Placed, ...]:
        return client_columns(room, self._wanted, self.hidden)

    def title(self, column: Column) -> str:
        if self.order.column is None or COLUMNS[self.order.column] is not column:
            return column.title
        return f"{column.title} {'▾' if self.order is Order.MESSAGES else '▴'}"

    def placed_cells(self, row: str, columns: Sequence[Placed]) -> list[PlacedCell]:
        return client_cells(self._view.clients[row], columns, self._at)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._at = self._moment()
        return super().render_lines(crop)

    def _moment(self) -> Moment:
        return Moment(self._boottime(), self._now())
