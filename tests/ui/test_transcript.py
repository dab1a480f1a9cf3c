"""The transcript pane, by its keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.lines import NOW, line, lines
from tui_popretr.facts import DialogueLine
from tui_popretr.logs.items import Item, Remark, logged
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.widgets import log_window
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_view import TranscriptView

Script = Callable[["PaneApp", Pilot[None]], Awaitable[None]]


class PaneApp(App[None]):
    """Nothing but the pane."""

    def __init__(self, history: TranscriptFiles | None = None, folder: str = "") -> None:
        super().__init__()
        self.animation_level = "none"
        self.pane = TranscriptPane(history, folder=folder, now=lambda: NOW)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    @property
    def rows(self) -> list[str]:
        """The rows of the view, without what is blank."""
        view = self.pane.view
        strips = view.render_lines(Region(0, 0, view.size.width, view.size.height))
        return [text for strip in strips if (text := strip.text.rstrip())]

    @property
    def title_line(self) -> str:
        return self.pane.status

    @property
    def cursor_row(self) -> str:
        return next((row for row in self.rows if row.startswith("▌")), "")

    async def settle(self, pilot: Pilot[None]) -> None:
        """Wait until nothing is being read any more."""
        await pilot.pause()
        await self.workers.wait_for_complete()
        await pilot.pause()


def play(script: Script, app: PaneApp | None = None, size: tuple[int, int] = (60, 9)) -> None:
    """Run a script against the pane."""
    app = app or PaneApp()

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(run())


async def search(app: PaneApp, pilot: Pilot[None], text: str) -> None:
    """Type a search, all at once."""
    await pilot.press("slash")
    app.pane.query_one(Input).value = text
    await pilot.pause()


def following(app: PaneApp) -> bool:
    return app.pane.view.following


def shown(app: PaneApp) -> list[str]:
    """The texts in view, of lines in that begin with `line`."""
    return [row.partition("← ")[2].split("  ")[0] for row in app.rows if "← line" in row]


def test_new_lines_come_into_view_only_at_the_end() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(20), 0)
        await pilot.pause()
        assert shown(app) == [f"line {number}" for number in range(11, 20)]
        assert app.title_line.endswith("following")
        app.pane.add(lines(1, first=20), 0)
        await pilot.pause()
        assert shown(app)[-1] == "line 20"
        await pilot.press("k", "up")
        assert "line 18" in app.cursor_row
        assert app.title_line.endswith("reading")
        before = shown(app)
        app.pane.add(lines(37, first=21), 0)
        await pilot.pause()
        assert shown(app) == before
        assert app.rows[-1].endswith("▼ 37 new")
        await pilot.press("G")
        assert shown(app)[-1] == "line 57"
        assert "new" not in app.rows[-1]
        assert app.cursor_row == ""

    play(script)


def test_moving_down_to_the_last_line_follows_again() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(30), 0)
        await pilot.press("pageup", "pageup")
        assert not following(app)
        await pilot.press("pagedown", "pagedown")
        assert following(app)
        await pilot.press("ctrl+u")
        assert not following(app)
        await pilot.press("ctrl+d")
        assert following(app)
        await pilot.press("end", "up", "down")
        assert following(app)
        await pilot.press("g")
        assert "line 0" in app.cursor_row
        await pilot.press("j", "j")
        assert "line 2" in app.cursor_row

    play(script)


def test_the_mouse_wheel_leaves_the_end_and_comes_back() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(30), 0)
        await pilot.pause()
        view = app.pane.view
        view.scroll_to(y=view.max_scroll_y - 3, animate=False, immediate=True)
        await pilot.pause()
        assert not following(app)
        assert app.cursor_row
        app.pane.add(lines(5, first=30), 0)
        view.scroll_to(y=view.max_scroll_y, animate=False, immediate=True)
        await pilot.pause()
        assert following(app)
        assert "new" not in app.rows[-1]

    play(script)


def test_frozen_nothing_moves() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(20), 0)
        await pilot.press("space")
        before = shown(app)
        app.pane.add(lines(5, first=20), 0)
        app.pane.add(lines(LIMIT, first=25), 7)
        await pilot.pause()
        assert shown(app) == before
        assert "frozen" in app.title_line
        assert app.rows[-1].endswith("▼ 10,005 new")
        await pilot.press("space")
        assert shown(app)[-1] == f"line {LIMIT + 24}"
        assert len(app.pane.view.shown) == LIMIT
        assert app.title_line.endswith("following")

    play(script)


def test_lines_that_are_not_shown_are_counted_in_place() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(2), 0)
        app.pane.add(lines(2, first=2), 1234)
        await pilot.pause()
        assert any("… 1,234 lines not shown …" in row for row in app.rows)
        app.pane.add(lines(LIMIT), 0)
        await pilot.press("g")
        assert "… 1,238 older lines not kept …" in app.rows[0]

    play(script)


def test_one_client_and_all() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add([line("line a", "one"), line("line b", "two")], 0)
        await pilot.pause()
        assert "one-1 ← line a" in app.rows[1]
        app.pane.show_client("two")
        await pilot.pause()
        assert shown(app) == ["line b"]
        assert app.title_line.startswith("two")
        assert "two-1" not in app.rows[1]
        drawn = app.pane.view.shown
        app.pane.add([line("line c", "one")], 0)
        assert app.pane.view.shown is drawn
        app.pane.show_client(None)
        await pilot.pause()
        assert shown(app) == ["line a", "line b", "line c"]

    play(script)


def test_nothing_is_drawn_when_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.show_client("one")
        app.pane.add(lines(20, "one"), 0)
        await pilot.pause()
        drawn: list[int] = []
        monkeypatch.setattr(TranscriptView, "render_line", lambda view, y: drawn.append(y))
        monkeypatch.setattr(type(app.pane.children[0]), "render_line", lambda view, y: drawn.append(y))
        app.pane.add([], 0)
        app.pane.add(lines(20, "two"), 0)
        await pilot.pause()
        assert drawn == []

    play(script)


def test_search_goes_from_match_to_match() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(30), 0)
        await search(app, pilot, "LINE 1")
        assert "/LINE 1 0" in app.title_line
        await pilot.press("escape")
        assert "/" not in app.title_line
        await search(app, pilot, "line 1")
        assert "/line 1 11" in app.title_line
        await pilot.press("enter")
        assert "line 19" in app.cursor_row
        assert "/line 1 11/11" in app.title_line
        await pilot.press("N")
        assert "line 18" in app.cursor_row
        await pilot.press("n", "n")
        assert "line 19" in app.cursor_row
        app.pane.add(lines(1, first=100), 0)
        await pilot.pause()
        assert "11/12" in app.title_line
        await pilot.press("n")
        assert following(app)
        await pilot.press("escape")
        assert "/" not in app.title_line

    play(script)


def test_keys_typed_into_the_search_are_text() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(3), 0)
        await pilot.press("slash", *"wvyS", "space", "G")
        assert app.pane.view.columns.wrap
        assert "/wvyS G 0" in app.title_line

    play(script)


def test_wrap_and_times_are_switched() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add([line("line " + "x" * 100 + "end")], 0)
        await pilot.pause()
        assert len(app.rows) == 4
        await pilot.press("w")
        assert len(app.rows) == 2
        assert "end" not in app.rows[1]
        await pilot.press(*["l"] * 9)
        assert "end" in app.rows[1]
        await pilot.press(*["h"] * 9, "T")
        assert app.rows[1].startswith(" id1-1 ← line")
        await pilot.press("w", "T")
        assert "07:27:59" in app.rows[1]
        assert len(app.rows) == 4

    play(script)


def test_a_new_size_keeps_what_is_in_view() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add([line(f"line {number:03} " + "x" * 60) for number in range(50)], 0)
        await pilot.press("g", *["pagedown"] * 3)
        top = app.rows[0] if "line" in app.rows[0] else app.rows[1]
        number = top.split("line ")[1][:3]
        await pilot.resize_terminal(150, 20)
        await pilot.pause()
        assert any(f"line {number}" in row for row in app.rows[:2])
        await pilot.press("G")
        await pilot.resize_terminal(45, 12)
        await pilot.pause()
        assert following(app)
        assert any("line 049" in row for row in app.rows)

    play(script)


def test_the_current_line_is_copied() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        await pilot.press("y")
        assert app.clipboard == ""
        app.pane.add(lines(5), 0)
        await pilot.press("y")
        assert app.clipboard == "id1-1 07:27:59.107 << line 4"
        await pilot.press("k", "k", "y")
        assert app.clipboard == "id1-1 07:27:59.107 << line 2"

    play(script)


def test_lines_are_selected_and_copied() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5), 0)
        await pilot.press("k", "v", "k", "k")
        assert "selecting" in app.title_line
        wanted = [f"id1-1 07:27:59.107 << line {number}" for number in (1, 2, 3)]
        assert app.screen.get_selected_text() == "\n".join(wanted)
        app.pane.add(lines(5, first=5), 0)  # what is selected stays where it is
        await pilot.press("y")
        assert app.clipboard.splitlines() == wanted
        await pilot.pause()
        assert "selecting" not in app.title_line
        assert shown(app)[-1] != "line 4"
        await pilot.press("v", "escape")
        assert not app.pane.view.selecting
        assert app.screen.get_selected_text() is None

    play(script)


def test_text_is_selected_with_the_mouse() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add([line("+OK abc שלום"), line("x" * 60), line("漢字 ok")], 0)
        await pilot.pause()
        view = app.pane.view
        start = app.rows[1].index("abc")
        await pilot.mouse_down(view, offset=(start, 1))
        await pilot.hover(view, offset=(start + 2, 1))
        await pilot.mouse_up(view, offset=(start + 2, 1))
        await pilot.pause()
        assert app.screen.get_selected_text() == "abc"
        await pilot.press("y")
        assert app.clipboard == "abc"
        await pilot.pause()
        assert not view.selecting
        # from the second row's text into the last line's: the rows of a wrapped line are one
        await pilot.mouse_down(view, offset=(start - 4, 2))
        await pilot.hover(view, offset=(start - 2, 4))
        await pilot.mouse_up(view, offset=(start - 2, 4))
        await pilot.pause()
        text = app.screen.get_selected_text() or ""
        assert text.splitlines()[0] == "x" * 60
        assert text.splitlines()[1].endswith("← 漢字")

    play(script)


def test_what_is_selected_with_the_mouse_stays_in_view() -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(20), 0)
        await pilot.pause()
        before = shown(app)
        await pilot.mouse_down(app.pane.view, offset=(5, 2))
        await pilot.hover(app.pane.view, offset=(9, 3))
        await pilot.mouse_up(app.pane.view, offset=(9, 3))
        app.pane.add(lines(5, first=20), 0)
        await pilot.pause()
        assert shown(app)[:-1] == before[:-1]
        assert app.rows[-1].endswith("▼ 5 new")
        await pilot.press("escape")
        assert shown(app)[-1] == "line 24"

    play(script)


def test_what_is_shown_is_saved_for_the_user_alone(tmp_path: Path) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add([*lines(2), line("other", "two")], 3)
        app.pane.show_client("id1")
        await pilot.press("S")
        await pilot.press("enter")
        await app.settle(pilot)
        path = tmp_path / "transcript-id1-20261123-072759.txt"
        assert path.read_text() == "# … 3 lines not shown …\n" + "".join(f"{logged(each)}\n" for each in lines(2))
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_text("mine")
        path.chmod(0o644)
        await pilot.press("S", "enter")
        await app.settle(pilot)
        await pilot.press("n", "enter")
        await app.settle(pilot)
        assert path.read_text() == "mine"
        await pilot.press("S", "enter")
        await app.settle(pilot)
        await pilot.press("y", "enter")
        await app.settle(pilot)
        assert len(path.read_text().splitlines()) == 3
        assert path.stat().st_mode & 0o777 == 0o600
        assert os.listdir(tmp_path) == [path.name]

    play(script, PaneApp(folder=str(tmp_path)))


def test_a_save_that_fails_is_told(tmp_path: Path) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(2), 0)
        await pilot.press("S", "enter")
        await app.settle(pilot)
        assert any("no such file" in each.message for each in app._notifications)

    play(script, PaneApp(folder=str(tmp_path / "none")))


def test_it_draws_without_colour_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.pane.add([line("+OK שלום"), line("-ERR"), *lines(20), line("+OK שלום " * 20)], 9)
        await pilot.press("k", "w", "v", "k")
        app.pane.add(lines(3), 0)
        await pilot.pause()
        assert app.no_color
        assert app.rows

    play(script)


# --- the log on disk ------------------------------------------------------------------------------------------------


def disk(path: Path, *items: Item) -> TranscriptFiles:
    path.write_text("".join(f"{logged(each)}\n" for each in items))
    return TranscriptFiles(lambda: [str(path)])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read few lines at a time, and keep few."""
    monkeypatch.setattr(log_window, "PIECE", 10)
    monkeypatch.setattr(log_window, "WINDOW", 30)


def numbers(app: PaneApp) -> list[int]:
    return [int(item.text.split()[1]) for item in app.pane.view.shown.items if isinstance(item, DialogueLine)]


@pytest.mark.parametrize(("on_disk", "head"), [(0, "nothing before this"), (1, "▲ older lines")])
def test_older_lines_are_announced_only_if_there_are_some(tmp_path: Path, on_disk: int, head: str) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        await app.settle(pilot)
        app.pane.add(lines(2), 0)
        await pilot.pause()
        assert head in app.rows[0]
        app.pane.show_client("one")
        assert ("▲" in app.rows[0]) == bool(on_disk)

    play(script, PaneApp(disk(tmp_path / "log", Remark("# opened"), *lines(on_disk))))


def test_scrolling_on_above_the_oldest_line_reads_the_log(tmp_path: Path, small: None) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5, first=15), 0)
        await pilot.pause()
        assert "in the log on disk" in app.rows[0]
        await pilot.press("g", "up")
        await app.settle(pilot)
        assert numbers(app) == list(range(5, 20))
        assert "line 15" in app.cursor_row
        await pilot.press("g", "up")
        await app.settle(pilot)
        assert numbers(app) == list(range(20))
        await pilot.press("g")
        assert "begins here" in app.rows[0]
        assert "# opened" in app.rows[1]
        await pilot.press("up")
        await app.settle(pilot)
        assert numbers(app) == list(range(20))

    play(script, PaneApp(disk(tmp_path / "log", Remark("# opened"), *lines(20))))


def test_reading_on_keeps_a_window_and_finds_back_to_the_end(tmp_path: Path, small: None) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5, first=95), 0)
        for _ in range(5):
            app.pane.view.to_top()
            await pilot.press("up")
            await app.settle(pilot)
        assert numbers(app) == list(range(45, 75))
        assert app.title_line.endswith("on disk")
        app.pane.add(lines(2, first=100), 0)
        await pilot.pause()
        assert "▼ 2 new" in app.rows[-1]
        for _ in range(6):
            await pilot.press("pagedown", "pagedown")
            await app.settle(pilot)
        assert following(app)
        assert numbers(app) == list(range(95, 102))
        assert app.title_line.endswith("following")

    play(script, PaneApp(disk(tmp_path / "log", *lines(100))), (60, 25))


def test_g_again_goes_to_the_beginning_of_the_log(tmp_path: Path, small: None) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5, first=95), 0)
        await pilot.press("g", "g")
        await app.settle(pilot)
        assert numbers(app) == list(range(10))
        assert "line 0" in app.cursor_row
        assert "begins here" in app.rows[0]
        await pilot.press("G")
        assert numbers(app) == list(range(95, 100))

    play(script, PaneApp(disk(tmp_path / "log", *lines(100))))


def test_a_search_goes_on_in_the_log(tmp_path: Path, small: None) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5, first=95), 0)
        await search(app, pilot, "9 ")
        await pilot.press("enter")
        await app.settle(pilot)
        for number in (49, 39):
            assert f"line {number}" in app.cursor_row
            await pilot.press("N")
            await app.settle(pilot)
        assert any("no match" in each.message for each in app._notifications)

    some = [line(f"line {number}{' ' if number in (39, 49) else ''}") for number in range(100)]
    play(script, PaneApp(disk(tmp_path / "log", *some)))


def test_the_log_of_one_client(tmp_path: Path, small: None) -> None:
    both = [each for number in range(40) for each in (line(f"line {number}", "a"), line(f"line {number}", "b"))]

    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.show_client("b")
        app.pane.add(both[60:], 0)
        await pilot.press("g", "up")
        await app.settle(pilot)
        assert numbers(app) == list(range(20, 40))
        assert all(item.session.client == "b" for item in app.pane.view.shown.items if isinstance(item, DialogueLine))

    play(script, PaneApp(disk(tmp_path / "log", *both)))


def test_a_log_without_what_is_shown_is_not_gone_on_with(tmp_path: Path, small: None) -> None:
    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(5), 0)
        await pilot.press("g", "up")
        await app.settle(pilot)
        assert numbers(app) == list(range(5))
        assert "nothing before this" in app.rows[0]

    play(script, PaneApp(disk(tmp_path / "log", line("elsewhere"))))


def test_reading_on_while_lines_come(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def script(app: PaneApp, pilot: Pilot[None]) -> None:
        app.pane.add(lines(LIMIT), 0)
        await pilot.press("k")
        app.pane.add(lines(LIMIT, first=LIMIT), 0)
        await pilot.pause()
        assert len(app.pane.view.shown) == 2 * LIMIT  # what is being read is not taken away
        app.pane.add(lines(2 * LIMIT, first=2 * LIMIT), 0)
        assert len(app.pane.view.shown) == 3 * LIMIT
        await pilot.press("G")
        app.pane.add(lines(1, first=4 * LIMIT), 0)
        assert len(app.pane.view.shown) == LIMIT
        assert shown(app)[-1] == f"line {4 * LIMIT}"

    play(script, PaneApp(TranscriptFiles(partial(list, [str(log)]))))
