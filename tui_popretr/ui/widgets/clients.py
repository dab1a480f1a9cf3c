"""The client list: a row for each client, of which only the visible ones are ever drawn."""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import datetime
from enum import Enum
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input

from tui_popretr.errors import ExitCode
from tui_popretr.ui import words
from tui_popretr.ui.layout import GUTTER, PROGRESS, Column, Placed, Wanted, columns
from tui_popretr.ui.view import ClientView, Situation, View
from tui_popretr.ui.widgets.columns import fitted


class Order(Enum):
    """What the rows are sorted by, with its title column."""

    CONFIGURATION = ("configuration", None)
    STATE = ("state", Column.STATE)
    DUE = ("due", Column.WHEN)
    NAME = ("name", Column.ID)
    MESSAGES = ("messages", Column.MESSAGES)

    def __init__(self, word: str, column: Column | None) -> None:
        self.word = word
        self.column = column

    @property
    def next(self) -> Order:
        """The one that comes after, round and round."""
        all_ = list(Order)
        return all_[(all_.index(self) + 1) % len(all_)]


_STYLES = {
    Situation.WAITING: Style(),
    Situation.QUEUED: Style(color="yellow"),
    Situation.CONNECTING: Style(color="cyan"),
    Situation.LOGIN: Style(color="cyan"),
    Situation.LISTING: Style(color="cyan"),
    Situation.RETRIEVING: Style(color="cyan", bold=True),
    Situation.CLOSING: Style(color="cyan"),
    Situation.PAUSED: Style(color="yellow"),
    Situation.FAILED: Style(color="red", bold=True),
    Situation.DONE: Style(color="green"),
    Situation.DISABLED: Style(dim=True),
}
#: What needs attention first: running, failed, queued, paused, waiting, done, disabled.
_RANKS = {
    Situation.RETRIEVING: 0,
    Situation.LISTING: 1,
    Situation.LOGIN: 2,
    Situation.CONNECTING: 3,
    Situation.CLOSING: 4,
    Situation.FAILED: 5,
    Situation.QUEUED: 6,
    Situation.PAUSED: 7,
    Situation.WAITING: 8,
    Situation.DONE: 9,
    Situation.DISABLED: 10,
}
_PLAIN = Style()
_BOLD = Style(bold=True)
_DIM = Style(dim=True)
_TITLE = Style(bold=True, underline=True)
_NUMBERS = frozenset({Column.MESSAGES, Column.OCTETS})


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
        self._drawn: dict[int, dict[Column, str]] = {}
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
        if self.order not in (Order.CONFIGURATION, Order.NAME) and self._sorted() != self._rows:
            self._list()
            return
        for y in range(1, self._height):
            row = y - 1 + self.scroll_offset.y
            if row >= len(self._rows):
                break
            client = self._view.clients[self._rows[row]]
            before = self._drawn.get(row)
            for each, text in self._timed(client):
                if before is None or before.get(each.column) != text:
                    self.refresh(Region(each.x, y, each.width, 1))

    def set_filter(self, text: str) -> None:
        """Show only the clients whose id, server, recip, state or last result contain all words of the text."""
        self.filter = text
        self._list()

    def set_order(self, order: Order) -> None:
        """Sort the rows."""
        self.order = order
        self._list()
        self.post_message(self.Sorted())

    def _sorted(self) -> list[str]:
        wanted = self.filter.casefold().split()
        clients = self._view.clients
        rows = [each for each, client in clients.items() if not wanted or _matches(client, wanted)]
        match self.order:
            case Order.STATE:
                rows.sort(key=lambda each: _RANKS[clients[each].situation])
            case Order.DUE:
                rows.sort(key=lambda each: _due(clients[each]))
            case Order.NAME:
                rows.sort(key=str.casefold)
            case Order.MESSAGES:
                rows.sort(key=lambda each: -clients[each].messages)
            case Order.CONFIGURATION:
                pass
        return rows

    def _list(self) -> None:
        """List the clients anew, with the selected one in view."""
        old = self._places.get(self.selected or "", 0)
        self._rows = self._sorted()
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

    def render_line(self, y: int) -> Strip:
        width = self._width
        if y == 0:
            return self._titles().crop_extend(0, width, None).apply_style(self.rich_style)
        row = y - 1 + self.scroll_offset.y
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        client = self._view.clients.get(self._rows[row])
        if client is None:
            return Strip.blank(width, self.rich_style)
        strip = self._row(row, client).crop_extend(0, width, None)
        if client.info.id == self.selected and self.has_focus:
            strip = strip.apply_style(Style(reverse=True))
        return strip.apply_style(self.rich_style)

    def _titles(self) -> Strip:
        segments: list[Segment] = [Segment(" " * GUTTER, _TITLE)]
        x = GUTTER
        for each in self._columns:
            title = each.column.value
            if self.order.column is each.column:
                title += " ▾" if self.order is Order.MESSAGES else " ▴"
            segments.append(Segment(" " * (each.x - x), _TITLE))
            segments.append(Segment(fitted(title, each.width, right=each.column in _NUMBERS), _TITLE))
            x = each.x + each.width
        segments.append(Segment(" " * max(0, self._width - x), _TITLE))
        return Strip(segments)

    def _row(self, row: int, client: ClientView) -> Strip:
        chosen = client.info.id == self.selected
        segments = [Segment("›" if chosen else " ", _BOLD)]
        timed = {each.column: (each, text) for each, text in self._timed(client)}
        self._drawn[row] = {column: text for column, (_, text) in timed.items()}
        x = GUTTER
        for each in self._columns:
            if each.x < x:
                continue  # the one before it has taken its place
            placed, text = timed.get(each.column) or (each, self._cell(client, each))
            segments.append(Segment(" " * (placed.x - x), _PLAIN))
            segments.append(Segment(text, _style(client, placed.column)))
            x = placed.x + placed.width
        return Strip(segments)

    def _timed(self, client: ClientView) -> list[tuple[Placed, str]]:
        """Return the cells that time alone changes. A retrieval is told across the last result where room is scarce."""
        placed = [each for each in self._columns if each.column in (Column.WHEN, Column.LAST)]
        if client.situation is Situation.RETRIEVING and len(placed) > 1 and placed[0].width < PROGRESS:
            when, last = placed
            placed = [Placed(Column.WHEN, when.x, last.x + last.width - when.x)]
        return [(each, self._cell(client, each)) for each in placed]

    def _cell(self, client: ClientView, placed: Placed) -> str:
        """Return the text of a cell, exactly as wide as its column."""
        width = placed.width
        match placed.column:
            case Column.STATE:
                text = f"{client.situation.glyph} {client.situation.word}"
            case Column.ID:
                text = client.info.id
            case Column.SERVER:
                text = client.info.server
            case Column.RECIP:
                text = client.info.recip
            case Column.WHEN:
                text = self._when(client, width)
            case Column.LAST:
                text = words.outcome(client.last, self._now())
            case Column.MESSAGES:
                text = f"{client.messages}"
            case Column.OCTETS:
                text = words.size(client.octets)
            case Column.PAST:
                text = words.sparkline(client.past, width)
        return fitted(text, width, right=placed.column in _NUMBERS)

    def _when(self, client: ClientView, width: int) -> str:
        if client.situation is Situation.RETRIEVING:
            return _progress(client, self._boottime(), width)
        text = words.countdown(client.due - self._boottime()) if client.due is not None else ""
        if all(each.column is not Column.LAST for each in self._columns):
            text = words.join((text, words.outcome(client.last, self._now())))
        return text


_BAR_LEAST, _BAR_MOST = 5, 12


def _progress(client: ClientView, now: float, width: int) -> str:
    """Return how far retrieving is, in what fits: a bar, and count, share and rate."""
    if not client.to_retrieve:
        return ""
    told = words.progress(client.received, client.to_retrieve, client.fraction, client.rate(now))
    if cell_len(told) > width:
        told = words.progress(client.received, client.to_retrieve, client.fraction, 0.0)
    room = width - cell_len(told) - 1
    if client.fraction is not None and room >= _BAR_LEAST:
        return f"{words.bar(client.fraction, min(room, _BAR_MOST)).replace(' ', '·')} {told}"
    return told


def _style(client: ClientView, column: Column) -> Style:
    if client.situation is Situation.DISABLED:
        return _DIM
    match column:
        case Column.STATE:
            return _STYLES[client.situation]
        case Column.WHEN if client.situation.running:
            return _STYLES[client.situation]
        case Column.LAST | Column.WHEN:
            return Style(color="red") if client.last is not None and client.last.code is not ExitCode.OK else _PLAIN
        case Column.SERVER | Column.RECIP | Column.PAST:
            return _DIM
        case _:
            return _PLAIN


def _matches(client: ClientView, wanted: list[str]) -> bool:
    info = client.info
    error = client.last.error if client.last is not None else ""
    text = f"{info.id} {info.server} {info.recip} {client.situation.word} {error}".casefold()
    return all(each in text for each in wanted)


def _due(client: ClientView) -> tuple[int, float]:
    if client.situation.running:
        return 0, 0.0
    if client.situation is Situation.QUEUED:
        return 1, 0.0
    return (2, client.due) if client.due is not None else (3, 0.0)
