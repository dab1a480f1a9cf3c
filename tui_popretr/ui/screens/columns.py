"""Which columns of a table are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from tui_popretr.ui.model.parts import Line, Pair, Part
from tui_popretr.ui.screens.sheet import TextDialog

if TYPE_CHECKING:
    from tui_popretr.ui.widgets.tables import Table


class ColumnsScreen(TextDialog):
    """Shows and hides columns by their numbers, at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number}", f"show_or_hide({number - 1})", "Show or hide a column", show=False)
            for number in range(1, 10)
        ),
        *TextDialog.BINDINGS,
    ]
    KEYS: ClassVar[str] = "1-9 show or hide · esc back"

    def __init__(self, table: Table[Any]) -> None:
        super().__init__("Columns")
        self._table = table

    def parts(self) -> Iterator[Part]:
        for index, column in enumerate(self._table.COLUMNS):
            mark = "·" if index in self._table.hidden else "✓"
            always = "  (always shown)" if index == self._table.main_column else ""
            yield Pair(f"{index + 1}", f"{mark} {column.title}{always}", "dim" if index in self._table.hidden else "")
        yield Line("")
        yield Line("A narrow terminal leaves out the less important ones.", "dim")

    def action_show_or_hide(self, index: int) -> None:
        """Show or hide a column by its index."""
        table = self._table
        if index < len(table.COLUMNS):
            titles = set(table.hidden_titles) ^ {table.COLUMNS[index].title}
            table.hide(titles)
            self.redraw()
