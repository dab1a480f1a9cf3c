"""The client list: a row for each client, of which only the visible ones are ever drawn."""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input

from tui_popretr.ui.model.layout import Placed, Wanted, columns
from tui_popretr.ui.model.order import Order, listed
from tui_popretr.ui.model.view import View
from tui_popretr.ui.widgets.client_rows import Cell, Moment, row, segments, timed, titles


class FilterInput(Input):
    """The line in which the filter is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "submit", "Back to the list", key_display="⏎"),
        Binding("escape", "app.step_back", "Remove the filter"),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="words to look for", id="filter", compact=True)
        self.cursor_blink = False


class ClientList(ScrollView, can_focus=True):
    """Shows the clients of a view. The selection belongs to a client: sorting and filtering leave it alone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details"),
        Binding("s", "sort", "Sort"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(-1)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
    ]

    #: The id of the selected client.
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

    class FilterWanted(Message):
        """The user wants to type a filter."""

    class Sorted(Message):
        """The order changed."""

    def __init__(self, boottime: Callable[[], float], now: Callable[[], datetime]) -> None:
        super().__init__(id="clients")
        self._boottime = boottime
        self._now = now
        self._view = View()
        self._known: tuple[str, ...] = ()
        self._rows: list[str] = []
        self._places: dict[str, int] = {}
        self._wanted = Wanted(0, 0, 0)
        self._columns: tuple[Placed, ...] = ()
        self._drawn: dict[int, list[Cell]] = {}
        self._base = Style.null()
        self._at = self._moment()
        self.order = Order.CONFIGURATION
        self.filter = ""

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> int:
        """How many clients match the filter."""
        return len(self._rows)

    @property
    def rows(self) -> tuple[str, ...]:
        """The ids of the clients, as they are listed."""
        return tuple(self._rows)

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
            self._plan()
            self._list()
            return
        for y in range(1, self._height):
            row = y - 1 + self.scroll_offset.y
            if row < len(self._rows) and self._rows[row] in changed:
                self.refresh(Region(0, y, self._width, 1))

    def tick(self) -> None:
        """Draw what time alone has changed: countdowns, rates, and the order where it depends on them."""
        if self.order.moves and listed(self._view.clients, self.order, self.filter) != self._rows:
            self._list()
            return
        at = self._moment()
        top = self.scroll_offset.y
        for number in range(top, min(top + self._height - 1, len(self._rows))):
            drawn = self._drawn.get(number)
            if drawn is None:
                continue  # it is drawn in any case
            cells = timed(self._view.clients[self._rows[number]], self._columns, at)
            for (before, old), (placed, new) in zip(drawn, cells, strict=False):
                if old != new or before != placed:
                    changed = max(len(old.rstrip()), len(new.rstrip()))
                    self.refresh(Region(placed.x, number - top + 1, min(changed, placed.width), 1))

    def set_filter(self, text: str) -> None:
        """Show only the clients whose id, server, recip, state or last result contain all words of the text."""
        self.filter = text
        self._list()

    def set_order(self, order: Order) -> None:
        """Sort the rows."""
        self.order = order
        self._list()
        self.post_message(self.Sorted())

    def _list(self) -> None:
        """List the clients anew, with the selected one in view."""
        old = self._places.get(self.selected or "", 0)
        self._rows = listed(self._view.clients, self.order, self.filter)
        self._places = {each: row for row, each in enumerate(self._rows)}
        size = Size(self._width, len(self._rows) + 1)
        if size != self.virtual_size:
            self.virtual_size = size
        if self.selected not in self._places:
            self.selected = self._rows[min(old, len(self._rows) - 1)] if self._rows else None
        self._drawn.clear()
        self._show_selected()
        self.refresh()

    # --- selection ----------------------------------------------------------------------------------------------------

    def select(self, client: str) -> None:
        """Select a client; the filter is taken away where it hides it."""
        if client not in self._places and client in self._view.clients:
            self.set_filter("")
        if client in self._places:
            self.selected = client

    def watch_selected(self, before: str | None, after: str | None) -> None:
        for each in (before, after):
            if each in self._places:
                self.refresh(Region(0, self._places[each] + 1 - self.scroll_offset.y, self._width, 1))
        self._show_selected()
        self.post_message(self.Selected(after))

    def _show_selected(self) -> None:
        row = self._places.get(self.selected or "")
        visible = self._height - 1
        if row is None or visible < 1:
            return
        top = self.scroll_offset.y
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif row >= top + visible:
            self.scroll_to(y=row - visible + 1, animate=False)

    def action_move(self, step: int) -> None:
        if self._rows:
            row = self._places.get(self.selected or "", 0) + step
            self.selected = self._rows[min(max(row, 0), len(self._rows) - 1)]

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self._height - 2))

    def action_edge(self, direction: int) -> None:
        self.action_move(direction * len(self._rows))

    def action_open(self) -> None:
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))

    def action_sort(self) -> None:
        self.set_order(self.order.next)

    def action_filter(self) -> None:
        self.post_message(self.FilterWanted())

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            for each in self._columns:
                if each.x <= offset.x < each.x + each.width:
                    same = [order for order in Order if order.column is each.column]
                    self.set_order(same[0] if same and same[0] is not self.order else Order.CONFIGURATION)
            return
        row = offset.y - 1 + self.scroll_offset.y
        if row < len(self._rows):
            again = self.selected == self._rows[row] and event.chain == 2
            self.selected = self._rows[row]
            if again:
                self.action_open()

    # --- drawing ------------------------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    def on_resize(self) -> None:
        self._plan()
        self.virtual_size = Size(self._width, len(self._rows) + 1)
        self._show_selected()
        self.refresh()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._drawn.clear()

    def _plan(self) -> None:
        self._columns = columns(self._width, self._wanted)
        self._drawn.clear()

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base = self.rich_style
        self._at = self._moment()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self._width
        number = y - 1 + self.scroll_offset.y
        if y == 0:
            return Strip(segments(titles(self._columns, self.order, width), width, self._base), width)
        if number >= len(self._rows):
            return Strip(segments((), width, self._base), width)
        client = self._view.clients[self._rows[number]]
        chosen = client.info.id == self.selected
        self._drawn[number] = cells = timed(client, self._columns, self._at)
        parts = row(client, self._columns, cells, chosen=chosen)
        return Strip(segments(parts, width, self._base, reverse=chosen and self.has_focus), width)

    def _moment(self) -> Moment:
        return Moment(self._boottime(), self._now())
