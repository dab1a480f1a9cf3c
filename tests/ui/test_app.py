"""The dashboard as a whole: keys, notices and layout."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.widgets import ContentSwitcher, OptionList

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, closed, dialogue, info, play, result, retrieving
from tui_popretr.commands import Command, PauseClient, PollAll, PollClient, Reload, ResumeClient, StopSession
from tui_popretr.facts import (
    ClientPaused,
    ClientScheduled,
    ConfigurationRejected,
    ConfigurationReloaded,
    DialogueLine,
    Direction,
    Fact,
    HistoryRead,
    SessionId,
    SessionStarted,
)
from tui_popretr.ui.screens.details import ClientDetails
from tui_popretr.ui.screens.help import HelpScreen
from tui_popretr.ui.screens.problems import ProblemsScreen
from tui_popretr.ui.screens.quit import QuitScreen
from tui_popretr.ui.shell.app import Dashboard

NOW = FakeClock().now()
START = FakeClock().boottime()
TWO: tuple[Fact, ...] = (
    clients("isp", "work"),
    ClientScheduled("isp", START + 60),
    ClientScheduled("work", START + 90),
)
RUNNING = SessionStarted(SessionId("work", 1), NOW)


# --- actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("r", PollClient("work")),
        ("R", PollAll()),
        ("p", PauseClient("work")),
        ("x", StopSession("work")),
        ("ctrl+r", Reload()),
    ],
)
def test_a_key_asks_the_engine_and_its_answer_becomes_a_notice(key: str, command: Command) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("j", key)
        assert shown.source.performed == [command]
        assert shown.notices == [f"{type(command).__name__} done"]

    play(scene, *TWO)


def test_a_refusal_becomes_a_notice() -> None:
    async def scene(shown: Played) -> None:
        shown.source.refusal = "there is no client isp"
        await shown.press("r")
        assert shown.notices == ["there is no client isp"]
        assert [notice.severity for notice in shown.app._notifications] == ["error"]

    play(scene, *TWO)


def test_p_resumes_what_is_paused() -> None:
    async def scene(shown: Played) -> None:
        await shown.tell(ClientPaused("isp"))
        assert "‖ paused" in shown.row("isp")
        await shown.press("p")
        assert shown.source.performed == [ResumeClient("isp")]

    play(scene, *TWO)


def test_p_twice_during_a_session_pauses_and_resumes() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("j", "p", "p", "p")
        assert shown.source.performed == [PauseClient("work"), ResumeClient("work"), PauseClient("work")]

    play(scene, *TWO, RUNNING)


def test_a_reload_that_worked_is_told_in_a_notice() -> None:
    async def scene(shown: Played) -> None:
        await shown.tell(ConfigurationReloaded(("a", "b"), (), ("isp",)))
        assert shown.notices == ["configuration reloaded: 2 added, 1 changed"]
        await shown.tell(ConfigurationReloaded((), (), ()))
        assert shown.notices == ["configuration reloaded: no client has changed"]

    play(scene, *TWO)


def test_one_problem_of_a_reload_is_a_notice_several_are_a_list() -> None:
    async def scene(shown: Played) -> None:
        await shown.tell(ConfigurationRejected(("c.xml:1:2: error: [b]one[/b]",)))
        assert shown.notices == ["the old configuration stays: c.xml:1:2: error: [b]one[/b]"]
        await shown.tell(ConfigurationRejected(("c.xml:1:2: error: [b]one[/b]", "c.xml:3:4: error: two")))
        assert isinstance(shown.app.screen, ProblemsScreen)
        assert "✗ c.xml:1:2: error: [b]one[/b]" in shown.text
        assert "✗ c.xml:3:4: error: two" in shown.text
        await shown.press("escape")
        assert not isinstance(shown.app.screen, ProblemsScreen)

    play(scene, *TWO)


# --- moving about -----------------------------------------------------------------------------------------------------


def pane(shown: Played) -> str | None:
    return shown.app.query_one("#panes", ContentSwitcher).current


def test_tab_changes_between_list_and_tabs_and_esc_returns() -> None:
    async def scene(shown: Played) -> None:
        in_tabs = []
        for key in ("tab", "tab", "shift+tab", "escape"):
            await shown.press(key)
            in_tabs.append(shown.app._body.in_tabs)
        assert in_tabs == [True, False, True, False]

    play(scene, *TWO)


def test_figures_and_sideways_keys_turn_the_tabs() -> None:
    async def scene(shown: Played) -> None:
        turned: list[str | None] = []
        for key in ("2", "3", "4", "5", "6", "1", "right", "l", "left", "h", "h"):
            await shown.press(key)
            turned.append(pane(shown))
        assert turned == [f"pane-{number}" for number in (1, 2, 3, 4, 5, 0, 1, 2, 1, 0, 5)]
        assert shown.app._list.has_focus

    play(scene, *TWO)


def test_a_tab_shown_later_has_what_came_before() -> None:
    async def scene(shown: Played) -> None:
        assert "Result" not in shown.text.replace("Last result", "")
        await shown.press("4")
        assert "12 messages" in shown.row("›07:")

    play(scene, *TWO, closed("isp", result(NOW, messages=12, octets=340_000)))


def test_the_transcript_is_of_the_selected_client_or_of_all() -> None:
    source = ScriptedSource()
    source.tell(*TWO, *dialogue("isp", NOW, ["C: NOOP of isp"]), *dialogue("work", NOW, ["C: NOOP of work"]))

    async def scene(shown: Played) -> None:
        assert "NOOP of isp" in shown.text
        assert "NOOP of work" not in shown.text
        await shown.press("j")
        assert "NOOP of isp" not in shown.text
        assert "NOOP of work" in shown.text
        await shown.press("a")
        assert "NOOP of isp" in shown.text
        assert "NOOP of work" in shown.text
        await shown.press("k", "a")
        assert "NOOP of work" not in shown.text

    play(scene, source=source)


def test_f_shows_the_focused_part_alone() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("f")
        assert "Transcript" not in shown.text
        assert "isp" in shown.text
        await shown.press("tab")
        assert "Transcript" in shown.text
        assert "Next run" not in shown.text
        await shown.press("f")
        assert "Transcript" in shown.text
        assert "Next run" in shown.text

    play(scene, *TWO)


@pytest.mark.parametrize("size", [(45, 15), (59, 30), (100, 17)])
def test_a_small_terminal_shows_one_part_at_a_time(size: tuple[int, int]) -> None:
    async def scene(shown: Played) -> None:
        assert "Next run" in shown.text
        assert "Transcript" not in shown.text
        await shown.press("tab")
        assert "Next run" not in shown.text
        assert "Transcript" in shown.text
        await shown.press("escape")
        assert "Next run" in shown.text
        await shown.press("3")
        assert "Next run" not in shown.text
        await shown.pilot.resize_terminal(100, 40)
        await shown.pilot.pause()
        assert "Next run" in shown.text
        assert "Transcript" in shown.text

    play(scene, *TWO, size=size)


@pytest.mark.parametrize("size", [(45, 15), (80, 24), (120, 40), (140, 40), (200, 50), (20, 5), (1, 1)])
def test_every_line_fits_its_terminal(size: tuple[int, int]) -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(2)
        assert len(shown.rows) == size[1]
        assert all(cell_len(row) <= size[0] for row in shown.rows)
        if size[0] >= 45:
            assert shown.rows[-1].endswith("? Help  q Quit")
            totals = shown.rows[int(size[0] >= 100 and size[1] >= 30)]
            assert "2 clients" in totals
            assert "1 running" in totals

    script = retrieving("work", NOW, received=1, of=2, octets=1_000_000, of_octets=2_000_000)
    play(scene, *TWO, *script, size=size)


def test_list_and_tabs_stand_side_by_side_where_there_is_room() -> None:
    async def scene(shown: Played) -> None:
        assert "Client" in shown.rows[1]
        assert "1 Transcript" in shown.rows[1]

    play(scene, *TWO, size=(140, 29))


# --- totals -----------------------------------------------------------------------------------------------------------


def test_totals_of_clients_sessions_failures_mail_and_rate() -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(2)
        assert shown.rows[0].removesuffix("mail.xml").rstrip().split("  ") == [
            " 2 clients",
            "↓ 1 running",
            "✗ 0 failed",
            "today 1,234 messages, 5.6 MB",
            "500 kB/s",
        ]

    script = retrieving("work", NOW, received=1, of=2, octets=1_000_000, of_octets=2_000_000)
    play(scene, *TWO, HistoryRead((), 1234, 5_600_000), *script)


def test_the_keys_at_the_bottom_are_not_those_below_a_dialog() -> None:
    async def scene(shown: Played) -> None:
        for key in ("enter", "ctrl+p"):
            await shown.press(key)
            assert len(shown.app.screen_stack) == 2
            assert "Quit" not in shown.rows[-1]
            await shown.press("escape")
            assert shown.rows[-1].endswith("? Help  q Quit")

    play(scene, *TWO)


# --- help, palette, theme ---------------------------------------------------------------------------------------------


def test_the_help_names_every_key_of_the_dashboard() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("question_mark")
        assert isinstance(shown.app.screen, HelpScreen)
        for words in ("Run now", "Run all", "Pause/resume", "Stop session", "Reload configuration", "Theme", "Quit"):
            assert words in shown.text
        assert "Client list" in shown.text
        await shown.press("q")
        assert not isinstance(shown.app.screen, HelpScreen)

    play(scene, *TWO, size=(100, 120))


def test_the_help_is_scrolled_to_its_end_and_closed_by_its_own_key() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("question_mark", "G")
        assert "Questions" in shown.text
        await shown.press("question_mark")
        assert not isinstance(shown.app.screen, HelpScreen)

    play(scene, *TWO)


def test_every_binding_has_an_action_and_a_description() -> None:
    async def scene(shown: Played) -> None:
        for key, active in shown.app.screen.active_bindings.items():
            name = active.binding.action.partition("(")[0].rpartition(".")[2]
            assert any(hasattr(node, f"action_{name}") for node in (active.node, shown.app, shown.app.screen)), (
                f"{key} does nothing"
            )
            if active.node in (shown.app, shown.app._list):
                assert active.binding.description

    play(scene, *TWO)


def test_the_palette_goes_to_a_client_and_runs_actions() -> None:
    ids = [f"c{number:04}" for number in range(5000)]

    async def scene(shown: Played) -> None:
        for typed, offered in (("c4321", "Go to c4321"), ("reload", "Reload the configuration")):
            await shown.press("ctrl+p", *typed)
            found = shown.app.screen.query_one(OptionList)
            while not found.option_count or offered not in str(found.get_option_at_index(0).prompt):
                await shown.pilot.pause(0.01)
            await shown.press("enter")
        assert shown.app.selected == "c4321"
        assert shown.source.performed == [Reload()]

    play(scene, clients(*ids))


def test_the_palette_has_the_actions_of_the_focused_pane() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "ctrl+p", *"exchanges/")
        found = shown.app.screen.query_one(OptionList)
        while not found.option_count or "Exchanges/dialogue" not in str(found.get_option_at_index(0).prompt):
            await shown.pilot.pause(0.01)
        await shown.press("enter")
        assert shown.app._transcript.in_exchanges

    play(scene, *TWO)


def test_t_changes_the_theme_and_the_first_is_the_terminals() -> None:
    async def scene(shown: Played) -> None:
        first = shown.app.theme
        assert shown.app.current_theme.ansi
        seen = [first]
        while True:
            await shown.press("t")
            if shown.app.theme == first:
                break
            seen.append(shown.app.theme)
        assert len(seen) == len(set(seen)) > 2

    play(scene, *TWO)


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene(shown: Played) -> None:
        strips = shown.app.screen._compositor.render_strips(shown.app.screen.size)
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        assert styles
        assert all(style.color is None or style.color.is_default for style in styles)
        assert any(style.reverse for style in styles)

    play(scene, *TWO, RUNNING)


# --- details and ends -------------------------------------------------------------------------------------------------


def test_enter_opens_the_details_of_the_selected_client() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("j", "enter")
        assert isinstance(shown.app.screen, ClientDetails)
        assert shown.app.screen.client_id == "work"
        await shown.press("escape")
        assert shown.app._list.has_focus

    play(scene, *TWO)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_quit_without_a_session(key: str) -> None:
    async def scene(shown: Played) -> None:
        await shown.press(key)
        assert shown.app._exit
        assert shown.app.return_value == 0

    play(scene, *TWO)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_an_attached_dashboard_detaches_and_asks_nothing(key: str) -> None:
    async def scene(shown: Played) -> None:
        assert shown.rows[-1].endswith("? Help  q Detach")
        await shown.press("question_mark")
        assert "Detach" in shown.text
        assert "Quit" not in shown.text
        await shown.press("escape", key)
        assert shown.app._exit

    play(scene, *TWO, RUNNING, size=(80, 60), detaches=True)


@pytest.mark.parametrize(
    ("key", "quits"), [("y", True), ("ctrl+c", True), ("n", False), ("escape", False), ("q", False)]
)
def test_quit_asks_while_sessions_run(key: str, quits: bool) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("q")
        assert isinstance(shown.app.screen, QuitScreen)
        assert "A session runs: work." in shown.text
        await shown.press(key)
        assert shown.app._exit is quits
        assert not isinstance(shown.app.screen, QuitScreen)

    play(scene, *TWO, RUNNING)


def test_the_dashboard_ends_when_its_source_has() -> None:
    async def scene(shown: Played) -> None:
        shown.source.alive = False
        shown.app.drain()
        assert shown.app._exit

    play(scene, *TWO)


def test_a_crash_prints_nothing_and_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    async def scene(shown: Played) -> None:
        def crash() -> None:
            raise ZeroDivisionError("of the test")

        shown.app.call_later(crash)
        await shown.pilot.pause()
        assert isinstance(shown.app.crash, ZeroDivisionError)

    with pytest.raises(ZeroDivisionError, match="of the test"):
        play(scene, *TWO)
    assert capsys.readouterr() == ("", "")


def test_no_clients_at_all() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("r", "p", "x", "enter", "j", "s")
        assert shown.source.performed == []
        assert "0 clients" in shown.rows[0]
        await shown.tell(clients(info("isp")))
        assert shown.app.selected == "isp"

    play(scene, clients())


def test_a_dashboard_needs_no_facts() -> None:
    async def scene(shown: Played) -> None:
        await shown.wait(1)
        await shown.press("4", "2")
        assert isinstance(shown.app, Dashboard)

    play(scene)


# --- jumps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [(), ("e",)])
def test_a_jump_that_finds_nothing_says_so_until_another_succeeds(form: tuple[str, ...]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", *form, "g")
        for _ in range(2):
            await shown.press("left_square_bracket")
            assert shown.notices == ["no error further up"]
        await shown.press("right_square_bracket")
        assert shown.notices == []

    session = SessionId("isp", 1)
    said = ((Direction.OUT, "USER a"), (Direction.IN, "+OK"), (Direction.OUT, "PASS ****"), (Direction.IN, "-ERR no"))
    lines = [DialogueLine(session, NOW, way, text, 1 + at // 2, 1.0) for at, (way, text) in enumerate(said)]
    play(scene, *TWO, *lines, DialogueLine(session, NOW, Direction.OUT, "QUIT", 3))
