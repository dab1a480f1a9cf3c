"""The log tab: the program's own log, filtered by level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from tui_popretr.facts import Level, Noted
from tui_popretr.status import View
from tui_popretr.text import visible
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.columns import Column
from tui_popretr.ui.model.parts import Line, Pair, Part
from tui_popretr.ui.screens.sheet import TextDialog
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.styled import BAD, DIM, PLAIN, WARN, Cell
from tui_popretr.ui.widgets.tables import same

_LEVELS: Final = tuple(Level)
_STYLES: Final = {Level.DEBUG: DIM, Level.INFO: PLAIN, Level.WARNING: WARN, Level.ERROR: BAD}
_GLYPHS: Final = {Level.DEBUG: "·", Level.INFO: "i", Level.WARNING: "!", Level.ERROR: "✗"}


class LogTab(FilteredTable[Noted]):
    """Newest last; enter shows a line in full."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Whole line"),
        Binding("v", "next_level", "Level"),
        *FilteredTable.BINDINGS,
    ]

    COLUMNS = (
        Column("Time", 8, 12, 3),
        Column("Level", 9, 9, 4),
        Column("Client", 6, 16, 1),
        Column("Text", 20, 40, 5),
    )

    def __init__(self) -> None:
        super().__init__()
        #: The lowest level that is shown.
        self.level = Level.DEBUG
        self._notes: Sequence[Noted] = ()

    def refresh_view(self, view: View) -> None:
        """Show what is new. Called at most ten times a second, while the tab is shown."""
        self.set_today(view.wall)
        if not same(self._notes, view.notes):
            self._notes = tuple(view.notes)
            self._filter()

    def action_next_level(self) -> None:
        """Raise the lowest level shown; after error comes debug."""
        self.level = _LEVELS[(_LEVELS.index(self.level) + 1) % len(_LEVELS)]
        self._filter()

    def _filter(self) -> None:
        least = _LEVELS.index(self.level)
        self.show(tuple(each for each in self._notes if _LEVELS.index(each.level) >= least))

    def status_words(self) -> Iterator[str]:
        if self.level is not Level.DEBUG:
            yield f"{self.level.value} and worse" if self.level is not Level.ERROR else "errors"
        yield from super().status_words()

    def title(self, column: Column) -> str:
        if column.title == "Text" and self.level is not Level.DEBUG:
            return f"Text ({self.level.value}{'s only' if self.level is Level.ERROR else ' and worse'})"
        return column.title

    def nothing(self) -> str:
        if self._notes:
            return f"Nothing of level {self.level.value} or worse. v changes the level."
        return "The log is empty. The program's own messages appear here."

    def cells(self, row: Noted) -> Sequence[Cell]:
        style = _STYLES[row.level]
        return (
            Cell(formatting.moment(row.at, self.today), DIM),
            Cell(f"{_GLYPHS[row.level]} {row.level.value}", style),
            Cell(row.client or ""),
            Cell(visible(row.text), style),
        )

    def choose(self, row: Noted) -> None:
        self.app.push_screen(NoteScreen(row))


class NoteScreen(TextDialog):
    """A line of the log in full."""

    def __init__(self, note: Noted) -> None:
        super().__init__("Log")
        self._note = note

    def parts(self) -> Iterator[Part]:
        yield Pair("time", f"{self._note.at:%Y-%m-%d %H:%M:%S}")
        yield Pair("level", self._note.level.value)
        if self._note.client:
            yield Pair("client", self._note.client)
        yield Line("")
        yield Line(visible(self._note.text, 8192))
