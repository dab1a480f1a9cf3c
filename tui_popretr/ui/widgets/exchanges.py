"""The exchanges form of the transcript: a row for each command, with its reply, milliseconds and octets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message

from tui_popretr import wording
from tui_popretr.logs.items import Item
from tui_popretr.logs.timestamps import time_of_day
from tui_popretr.ui.model.columns import Column, Placed, by_priority
from tui_popretr.ui.model.dialogue import HeldBack
from tui_popretr.ui.model.exchange_rows import ExchangeRows, Row
from tui_popretr.ui.model.exchanges import Exchange, Outcome
from tui_popretr.ui.model.formatting import milliseconds
from tui_popretr.ui.model.runs import Run
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.styled import ACCENT, BAD, DIM, PLAIN, WARN, Cell
from tui_popretr.ui.widgets.tables import Table

#: From this wait on, a reply is slow, in milliseconds.
SLOW: Final = 1000.0

_SESSION: Final = 1


class ExchangesTable(FilteredTable[Row]):
    """Newest last. Runs of good replies are one row; errors are red, and rows of their own."""

    COLUMNS = (
        Column("Time", 12, 12, 2),
        Column("Session", 8, 20, 4, good=10),
        Column("Command", 12, 28, 7, good=14),
        Column("Reply", 10, 400, 6, good=24),
        Column("Size", 8, 9, 1, right=True),
        Column("Took", 7, 8, 3, right=True),
        Column("Wait", 7, 8, 5, right=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Unfold/show"),
        Binding("o", "order", "Slowest first"),
        Binding("space", "freeze", "Freeze"),
        Binding("right_square_bracket", "error(1)", "Next error", key_display="]"),
        Binding("left_square_bracket", "error(-1)", "Previous error", show=False, key_display="["),
        Binding("ampersand,slash", "filter", "Filter", key_display="&"),
        Binding("escape", "clear_filter", "Remove the filter", show=False),
        Binding("C", "columns", "Columns", show=False, key_display="C"),
        *Table.BINDINGS,
    ]

    class Opened(Message):
        """The user wants to see an exchange whole."""

        def __init__(self, exchange: Exchange) -> None:
            super().__init__()
            self.exchange = exchange

    def __init__(self) -> None:
        super().__init__()
        self._exchanges = ExchangeRows()
        self._labels = False
        self._subject = ""
        self._slowest = False
        self._frozen = False
        self._held_back = HeldBack()  # arrived while frozen

    # --- rows ---------------------------------------------------------------------------------------------------------

    def restart(self, items: Sequence[Item], client: str | None) -> None:
        """Show the exchanges of these lines, which are of a client, or of all with None."""
        self._exchanges = ExchangeRows()
        self._exchanges.set_filter(self.filter)
        self._exchanges.add(items)
        self._labels = client is None
        self._subject = "all clients" if client is None else client
        self._frozen = False
        self._held_back.take()
        self._following = True
        self._update()

    def add(self, items: Sequence[Item]) -> None:
        """Add lines, oldest first."""
        if self._frozen:
            self._held_back.add(items)
        elif self._exchanges.add(items):
            self._update()

    def _update(self) -> None:
        """Show the rows as they are now."""
        self.set_rows(self._exchanges.slowest_first() if self._slowest else self._exchanges.rows())
        self.filter_bar.show_matches()

    @property
    def matches(self) -> tuple[int, int]:
        return len(self.rows), self._exchanges.count

    def filter_changed(self) -> None:
        self._exchanges.set_filter(self.filter)
        self._update()

    def find(self, rows: Sequence[Row], row: Row, near: int) -> int:
        return super().find(rows, row, near) if self._slowest else self._exchanges.index(row)

    # --- actions ------------------------------------------------------------------------------------------------------

    def choose(self, row: Row) -> None:
        if isinstance(row, Run):
            self._exchanges.toggle(row)
            self._following = False
            self._update()
        else:
            self.post_message(self.Opened(row))

    def action_error(self, step: int) -> None:
        """Go to the next error, or the previous one."""
        at = range(self.cursor + 1, len(self.rows)) if step > 0 else range(self.cursor - 1, -1, -1)
        found = next((index for index in at if self.rows[index].error), None)
        if found is None:
            self.notify(f"no error further {'down' if step > 0 else 'up'}", markup=False)
        else:
            self.move_to(found)

    def action_freeze(self) -> None:
        """Show no change until it is called again."""
        self._frozen = not self._frozen
        self.add(self._held_back.take())
        self.note_status()

    def action_order(self) -> None:
        """Show the slowest exchanges first, or all in their order."""
        self._slowest = not self._slowest
        self._following = not self._slowest
        self._update()
        self.action_edge(-1 if self._slowest else 1)

    # --- drawing ------------------------------------------------------------------------------------------------------

    def status_words(self) -> Iterator[str]:
        yield self._subject
        since = self._exchanges.since
        yield f"exchanges since {since:%H:%M:%S}" if since is not None else "exchanges"
        if missing := self._exchanges.missing:
            yield f"{wording.plural(missing, 'line')} missing"
        if self._slowest:
            yield "slowest first"
        yield from super().status_words()
        if self._frozen:
            yield "frozen"

    def nothing(self) -> str:
        return "No exchange yet. A row for each command appears here, with its reply; e shows the dialogue."

    def empty(self) -> str:
        return super().empty() if not self.filter.strip() else "No row matches. Esc removes the filter."

    def columns(self, room: int) -> tuple[Placed, ...]:
        return by_priority(self.COLUMNS, room, self.hidden if self._labels else self.hidden | {_SESSION})

    def cells(self, row: Row) -> Sequence[Cell]:
        style = _STYLES[row.outcome]
        took, wait, octets = row.milliseconds, row.wait, row.octets
        slow = row.slowest >= SLOW and style is PLAIN
        return (
            Cell(time_of_day(row.at), DIM),
            Cell(str(row.session), DIM),
            Cell(_fold(row) + (row.command or "(connected)"), style or ACCENT),
            Cell(row.result, style),
            Cell("" if octets is None else wording.size(octets), style or DIM),
            Cell("" if took is None else milliseconds(took), style or DIM),
            Cell("" if wait is None else milliseconds(wait), WARN if slow else style or DIM),
        )


_STYLES: Final[dict[Outcome, Style]] = {
    Outcome.WAITING: DIM,
    Outcome.OK: PLAIN,
    Outcome.ERROR: BAD,
    Outcome.UNANSWERED: BAD,
    Outcome.LOST: DIM,
}


def _fold(row: Row) -> str:
    """Return the mark of a run, or the indent of its members."""
    if isinstance(row, Run):
        return "▾ " if row.unfolded else "▸ "
    return "  " if row.run is not None and row.run.count > 1 else ""
