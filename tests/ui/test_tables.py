"""The table: columns for every width, a cursor that stays with its row, following, and text from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tui_popretr.ui.model.cells import fitted
from tui_popretr.ui.model.columns import GUTTER, Column, by_priority
from tui_popretr.ui.widgets.styled import Cell
from tui_popretr.ui.widgets.tables import Table

COLUMNS = (Column("Name", 4, 10, 2), Column("Size", 5, 5, 1, right=True), Column("Text", 6, 20, 3))


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (3, [(2, 1, 2)]),
        (7, [(2, 1, 6)]),
        (11, [(2, 1, 10)]),
        (12, [(0, 1, 4), (2, 6, 6)]),
        (14, [(0, 1, 4), (2, 6, 8)]),
        (18, [(0, 1, 4), (1, 6, 5), (2, 12, 6)]),
        (21, [(0, 1, 4), (1, 6, 5), (2, 12, 9)]),
        (38, [(0, 1, 10), (1, 12, 5), (2, 18, 20)]),
        (60, [(0, 1, 10), (1, 12, 5), (2, 18, 42)]),
    ],
)
def test_columns_fit_the_width(width: int, shown: list[tuple[int, int, int]]) -> None:
    assert [(placed.index, placed.x, placed.width) for placed in by_priority(COLUMNS, width)] == shown


def test_columns_grow_to_their_usual_width_first() -> None:
    columns = (replace(COLUMNS[0], good=7), COLUMNS[1], replace(COLUMNS[2], good=8))
    assert [each.width for each in by_priority(columns, 18)] == [4, 5, 6]
    assert [each.width for each in by_priority(columns, 22)] == [6, 5, 8]
    assert [each.width for each in by_priority(columns, 24)] == [7, 5, 9]


def test_columns_fill_every_width_without_touching() -> None:
    for width in range(2, 200):
        placed = by_priority(COLUMNS, width)
        assert placed[0].x == GUTTER
        assert placed[-1].x + placed[-1].width == width
        assert all(left.x + left.width + 1 == right.x for left, right in pairwise(placed))


@pytest.mark.parametrize(
    ("text", "width", "right", "drawn"),
    [
        ("abc", 5, False, "abc  "),
        ("abc", 5, True, "  abc"),
        ("abcdef", 5, True, "abcd…"),
        ("日本語", 5, False, "日本…"),
        ("日本語", 4, False, "日 …"),
        ("e\u0301e\u0301", 3, False, "e\u0301e\u0301 "),
        ("[bold]x[/]", 10, False, "[bold]x[/]"),
        ("", 2, False, "  "),
    ],
)
def test_cells_are_as_wide_as_their_column(text: str, width: int, right: bool, drawn: str) -> None:
    assert fitted(text, width, right=right) == drawn
    assert cell_len(fitted(text, width, right=right)) == width


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    name: str
    text: str = "text"


class Items(Table[Item]):
    COLUMNS = COLUMNS
    EMPTY = "nothing here yet"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.chosen: list[str] = []
        self.layouts = 0

    def refresh(self, *regions: Region, **options: bool) -> Self:
        self.layouts += options.get("layout", False)
        return super().refresh(*regions, **options)

    def cells(self, row: Item) -> Sequence[Cell]:
        self.asked.append(row.name)
        return Cell(row.name), Cell(str(len(row.text))), Cell(row.text)

    def choose(self, row: Item) -> None:
        self.chosen.append(row.name)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield Items()

    @property
    def table(self) -> Items:
        return self.query_one(Items)

    def lines(self) -> list[str]:
        return [self.table.render_line(y).text.rstrip() for y in range(self.table.size.height)]


def shown(
    test: Callable[[Shown, Pilot[None]], Awaitable[None]], *, size: tuple[int, int] = (40, 11), rows: int = 0
) -> None:
    """Run a test on a table with this number of rows."""

    async def run() -> None:
        app = Shown()
        async with app.run_test(size=size) as pilot:
            app.table.focus()
            app.table.set_rows(items(rows))
            await pilot.pause()
            await test(app, pilot)

    asyncio.run(run())


def items(count: int) -> tuple[Item, ...]:
    return tuple(Item(f"row{number}") for number in range(count))


def test_no_rows_are_explained() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        assert app.lines()[2] == " nothing here yet"
        await pilot.press("enter", "down", "G")
        assert app.table.chosen == []

    shown(test)


def test_only_visible_rows_are_put_into_words() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        assert set(app.table.asked) <= {f"row{number}" for number in range(4990, 5000)}

    shown(test, rows=5000)


def test_it_follows_while_the_cursor_is_on_the_last_row() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        rows = items(30)
        app.table.set_rows(rows[:25])
        await pilot.pause()
        assert app.lines()[-1].startswith("›row24")
        await pilot.press("up")
        app.table.set_rows(rows)
        await pilot.pause()
        assert app.table.cursor == 23
        assert not any("row29" in line for line in app.lines())
        await pilot.press("G")
        await pilot.pause()
        assert app.lines()[-1].startswith("›row29")

    shown(test)


def test_more_rows_lay_nothing_out() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        rows = items(60)
        app.table.layouts = 0
        for count in (41, 60, 50):
            app.table.set_rows(rows[:count])
            await pilot.pause()
            assert app.lines()[-1].startswith(f"›row{count - 1} ")
            assert app.table.vertical_scrollbar.window_virtual_size == count + 1
        assert app.table.layouts == 0
        app.table.set_rows(rows[:5])
        await pilot.pause()
        assert app.table.layouts
        assert app.lines()[1].startswith(" row0 ")
        assert not app.table.show_vertical_scrollbar

    shown(test, rows=40)


def test_the_scroll_bar_shows_every_change_of_place_and_length() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        bar = app.table.vertical_scrollbar
        rows = items(3000)
        for count, row in ((20, 19), (21, 20), (90, 80), (89, 3), (700, 699), (3000, 2999), (2999, 1500), (13, 2)):
            app.table.set_rows(rows[:count])
            app.table.move_to(row)
            await pilot.pause()
            drawn = bar.render_lines(bar.size.region)
            bar.refresh()
            assert drawn == bar.render_lines(bar.size.region)

    shown(test, rows=15)


def test_removed_first_rows_leave_cursor_and_view_in_place() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        rows = items(60)
        app.table.set_rows(rows[:50])
        await pilot.press("g")
        app.table.move_to(25)
        await pilot.press("up", "up")
        await pilot.pause()
        before = app.lines()
        app.table.set_rows(rows[10:60])
        await pilot.pause()
        assert app.table.rows[app.table.cursor] is rows[23]
        assert app.lines() == before
        app.table.set_rows(rows[40:])
        await pilot.pause()
        assert app.table.cursor == 0

    shown(test)


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["g"], 0),
        (["home", "j", "j", "down"], 3),
        (["home", "j", "k", "up"], 0),
        (["g", "pagedown"], 9),
        (["g", "ctrl+f", "pageup"], 0),
        (["k", "ctrl+b"], 39),
        (["g", "G"], 49),
        (["g", "end"], 49),
    ],
)
def test_keys_move_the_cursor_and_bring_it_into_view(keys: list[str], row: int) -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.table.cursor == row
        assert sum(line.startswith(f"›row{row} ") for line in app.lines()) == 1
        await pilot.press("enter")
        assert app.table.chosen == []  # the tabs bind it: each calls it by its own name

    shown(test, rows=50)


def test_a_click_moves_the_cursor_and_a_double_click_chooses() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        await pilot.click(Items, offset=(3, 2))
        assert app.table.cursor == 1
        assert app.table.chosen == []
        await pilot.click(Items, offset=(3, 3), times=2)
        assert app.table.chosen == ["row2"]
        await pilot.click(Items, offset=(3, 0))
        await pilot.click(Items, offset=(3, 9))
        assert app.table.cursor == 2

    shown(test, rows=4)


def test_the_columns_follow_the_terminal() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        assert app.lines()[0].split() == ["Name", "Size", "Text"]
        await pilot.resize_terminal(14, 5)
        await pilot.pause()
        assert app.lines()[0].split() == ["Name", "Text"]
        assert app.lines()[-1].startswith("›row9")

    shown(test, rows=10, size=(40, 4))


def test_text_of_strangers_neither_is_markup_nor_breaks_the_row() -> None:
    async def test(app: Shown, pilot: Pilot[None]) -> None:
        nasty = ["[red]x[/red]", "日本語" * 30, "שלום עולם", "e\u0301" * 50, "👩‍👩‍👧‍👦 family", "[/]", "x" * 100_000]
        app.table.set_rows([Item("row", text) for text in nasty])
        await pilot.pause()
        for y in range(app.table.size.height):
            assert app.table.render_line(y).cell_length == 40
        assert "[red]x[/red]" in app.lines()[1]

    shown(test)
