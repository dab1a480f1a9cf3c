"""How the dashboard looks: the selected row, frames, the lines at the top and the bottom, and the themes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, clients, closed, play, result, retrieving
from tui_popretr import __version__
from tui_popretr.errors import ExitCode
from tui_popretr.facts import ClientScheduled, Fact
from tui_popretr.mailbox import Connection
from tui_popretr.ui.shell.themes import THEMES, first_theme

NOW = FakeClock().now()
START = FakeClock().boottime()
FAILED: tuple[Fact, ...] = (
    clients("isp", "work", "home"),
    closed("isp", result(NOW - timedelta(hours=2), code=ExitCode.LOGIN, error="no such user")),
    ClientScheduled("isp", START + 60),
    closed("work", result(NOW, messages=3, octets=5000)),
    ClientScheduled("work", START + 90),
    ClientScheduled("home", START + 90),
)


def backgrounds(segments: list[Segment]) -> set[str | None]:
    return {each.style.bgcolor.name if each.style and each.style.bgcolor else None for each in segments}


def style_of(segments: list[Segment], words: str) -> Style:
    return next(each.style for each in segments if words in each.text and each.style)


# --- the selected row -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_the_selected_row_has_one_background(theme: str) -> None:
    async def scene(shown: Played) -> None:
        row = list(shown.styled("isp"))
        (background,) = backgrounds(row)
        assert background not in (None, "default")
        assert style_of(row, "failed").color != style_of(row, "isp").color
        assert backgrounds(list(shown.styled("work"))) != {background}

    play(scene, *FAILED, theme=theme)


def test_progress_keeps_its_colour_in_the_selected_row() -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(2)
        row = list(shown.styled("retrieving"))
        assert len(backgrounds(row)) == 1
        assert style_of(row, "██").color == style_of(row, "retrieving").color
        assert not any(each.style.reverse for each in row if each.style)

    script = retrieving("isp", NOW, received=6, of=8, octets=750_000, of_octets=1_000_000)
    play(scene, clients("isp"), *script)


def test_a_list_without_the_focus_only_marks_the_row() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab")
        assert "›" in shown.styled("isp").text
        assert backgrounds(list(shown.styled("isp"))) == backgrounds(list(shown.styled("home")))

    play(scene, *FAILED)


def test_without_colours_the_selected_row_is_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene(shown: Played) -> None:
        assert all(each.style and each.style.reverse for each in shown.styled("isp"))
        assert not any(each.style.reverse for each in shown.styled("work") if each.style)

    play(scene, *FAILED)


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "frames"), [((99, 40), 0), ((140, 29), 0), ((100, 30), 2), ((139, 40), 2), ((140, 40), 3)]
)
def test_frames_from_100_columns_and_30_lines_on(size: tuple[int, int], frames: int) -> None:
    async def scene(shown: Played) -> None:
        assert shown.text.count("╭") == shown.text.count("╯") == frames
        assert ("tui-popretr" in shown.rows[0]) == bool(frames)

    play(scene, *FAILED, size=size)


def test_the_focused_frame_has_the_accent() -> None:
    async def scene(shown: Played) -> None:
        def colours() -> list[object]:
            edges = [next(iter(shown.styled("Clients"))), next(iter(shown.styled("1 Transcript")))]
            return [each.style.color for each in edges if each.style]

        before = colours()
        assert before[0] != before[1]
        await shown.press("tab")
        assert colours() == before[::-1]

    play(scene, *FAILED, size=(100, 30))


def test_a_frame_has_title_and_state() -> None:
    async def scene(shown: Played) -> None:
        assert "isp · following" in shown.text
        await shown.press("s", "slash", *"work", "enter")
        assert "/work: 1 of 3 · by state" in shown.text
        assert "work · following" in shown.text
        await shown.press("escape", "tab", "space")
        assert "work · frozen" in shown.text
        await shown.press("4")
        assert "4 History" in shown.text
        assert "following ─" in shown.text

    play(scene, *FAILED, size=(100, 30))


def test_a_click_on_a_title_shows_its_tab() -> None:
    async def scene(shown: Played) -> None:
        y = next(number for number, row in enumerate(shown.rows) if "4 History" in row)
        await shown.pilot.click(offset=(shown.rows[y].index("History"), y))
        assert shown.app._body.tab == 3

    play(scene, *FAILED, size=(100, 30))


def test_details_fill_the_room_below_a_short_list() -> None:
    async def scene(shown: Played) -> None:
        assert "no such user" in shown.text
        assert "pop.example.net:995" in shown.text
        assert "next run" in shown.text
        await shown.press("j")
        assert "no such user" not in "\n".join(row for row in shown.rows if "Last error" in row)
        assert " work ─" in shown.text

    play(scene, *FAILED, size=(200, 50))


def test_a_long_list_leaves_no_room_for_details() -> None:
    async def scene(shown: Played) -> None:
        assert "Enter: all" not in shown.text

    play(scene, clients(*(f"c{number}" for number in range(40))), size=(200, 50))


def test_a_second_draws_only_the_changed_details() -> None:
    async def scene(shown: Played) -> None:
        pane = shown.app.query_one("#selected")
        drawn: list[int] = []
        refresh = pane.refresh

        def refreshed(*regions: tuple[int, int, int, int], **more: bool) -> object:
            drawn.extend(y for _, y, _, _ in regions or [(0, -1, 0, 0)])
            return refresh(*regions, **more)  # type: ignore[arg-type]

        pane.refresh = refreshed  # type: ignore[method-assign, assignment]
        await shown.wait(1)
        assert len(drawn) == 1
        assert drawn[0] >= 0

    play(scene, *FAILED, size=(200, 50))


# --- first lines and last line ----------------------------------------------------------------------------------------


def test_the_header_names_program_host_uptime_and_time() -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(3 * 3600 + 120)
        assert shown.rows[0].split() == [
            *("tui-popretr", __version__, "·", "mail.xml", "·", "host1"),
            *("up", "3", "h", "2", "min", f"{NOW + timedelta(seconds=3 * 3600 + 120):%H:%M}"),
        ]
        assert "3 clients" in shown.rows[1]
        assert "mail.xml" not in shown.rows[1]

    play(scene, *FAILED, size=(100, 30))


def test_the_header_says_whether_a_daemon_is_attached() -> None:
    async def scene(shown: Played) -> None:
        shown.app._show_connection(Connection(True, ("attached to 123, since 07:12", "attached")))
        await shown.pilot.pause()
        assert "attached to 123, since 07:12" in shown.rows[0]
        shown.app._show_connection(Connection(False, ("! the daemon has ended; reconnecting", "no daemon")))
        await shown.pilot.pause()
        assert "! the daemon has ended; reconnecting" in shown.rows[0]

    play(scene, *FAILED, size=(100, 30))


def test_keys_have_the_accent_and_no_underline() -> None:
    async def scene(shown: Played) -> None:
        last = list(shown.styled("? Help"))
        assert not any(each.style.underline for each in last if each.style)
        assert style_of(last, " ?").color
        assert style_of(last, " Help ").dim

    play(scene, *FAILED)


def test_a_click_on_a_key_presses_it() -> None:
    async def scene(shown: Played) -> None:
        await shown.pilot.click(offset=(shown.rows[-1].index("Sort"), 28))
        await shown.pilot.pause()
        assert "by state" in " ".join(shown.notices)

    play(scene, *FAILED)


# --- empty states -----------------------------------------------------------------------------------------------------


def test_empty_lists_say_what_comes_next() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("2")
        assert "No mail yet: the next session in 1:00." in shown.text
        await shown.wait(18)
        assert "No mail yet: the next session in 0:42." in shown.text
        await shown.press("slash", *"nothing")
        assert "No client matches. Esc removes the filter." in shown.text

    play(scene, clients("isp"), ClientScheduled("isp", START + 60))


# --- themes -----------------------------------------------------------------------------------------------------------


def test_eight_colours_are_the_first_eight() -> None:
    async def scene(shown: Played) -> None:
        strips = shown.app.screen._compositor.render_strips(shown.app.screen.size)
        styles = [each.style for strip in strips for each in strip if each.style]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None}
        assert len(colours) > 3
        assert all(each.is_default or (each.type is ColorType.STANDARD and (each.number or 0) < 8) for each in colours)

    play(scene, *FAILED, theme="8-colours", size=(140, 40))


def test_a_light_terminal_gets_dark_colours() -> None:
    async def scene(shown: Played) -> None:
        strips = shown.app.screen._compositor.render_strips(shown.app.screen.size)
        colours = {each.style.color for strip in strips for each in strip if each.style and each.style.color}
        triplets = [each.triplet for each in colours if each.triplet is not None]
        assert len(triplets) > 3
        text = [each for each in triplets if each.hex != "#bcbcbc"]  # frames
        assert all(0.3 * red + 0.59 * green + 0.11 * blue < 128 for red, green, blue in text)
        assert all(each.is_default or each.triplet is not None for each in colours)

    play(scene, *FAILED, theme="light", size=(140, 40))


@pytest.mark.parametrize(
    ("environ", "theme"),
    [
        ({"TERM": "xterm-256color"}, "terminal"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "light"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;default;7"}, "light"),
        ({"TERM": "xterm-256color", "COLORFGBG": "15;0"}, "terminal"),
        ({"TERM": "linux"}, "8-colours"),
        ({"TERM": "linux", "COLORTERM": "truecolor"}, "terminal"),
        ({}, "8-colours"),
    ],
)
def test_the_first_theme_suits_the_terminal(environ: dict[str, str], theme: str) -> None:
    assert first_theme(environ) == theme
