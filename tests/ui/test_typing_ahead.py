"""Keys that arrive at once have the same effect as one after the other."""

from __future__ import annotations

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, clients, dialogue, play
from tui_popretr.commands import ListWaiting, PollClient
from tui_popretr.facts import Fact
from tui_popretr.ui.widgets.filterbar import FilterInput
from tui_popretr.ui.widgets.log import LogTab
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab

NOW = FakeClock().now()
FACTS: tuple[Fact, ...] = (
    clients("isp", "work", "home"),
    *dialogue("isp", NOW, ["C: STAT", "S: +OK 0 0", "C: QUIT", "S: +OK"]),
)


def test_keys_after_tab_are_for_the_tabs() -> None:
    async def scene(shown: Played) -> None:
        await shown.type_ahead("tab", "k", "space")
        assert shown.app._transcript.pane.frozen
        assert shown.app._transcript.pane.view.cursor is not None
        assert shown.app.selected == "isp"

    play(scene, *FACTS)


@pytest.mark.parametrize("before", [("tab",), ("tab", "5", "1")], ids=["first", "again"])
def test_keys_after_a_change_of_tab_are_for_it(before: tuple[str, ...]) -> None:
    async def scene(shown: Played) -> None:
        await shown.press(*before)
        await shown.type_ahead("5", "L", "3", "v")
        assert shown.source.asked == [ListWaiting("isp")]
        assert shown.app.query_one(LogTab).level.value == "info"
        assert isinstance(shown.app.focused, LogTab)

    play(scene, *FACTS)


def test_keys_after_a_filter_are_for_the_list() -> None:
    async def scene(shown: Played) -> None:
        await shown.type_ahead("/", *"ork", "enter", "r")
        assert shown.app._list.rows == ("work",)
        assert shown.source.performed == [PollClient("work")]
        await shown.type_ahead("/", "x", "escape", "j", "j")
        assert shown.app.selected == "home"
        assert not shown.app.query_one(FilterInput).value

    play(scene, *FACTS)


def test_keys_after_a_search_are_for_the_transcript() -> None:
    async def scene(shown: Played) -> None:
        await shown.type_ahead("tab", "/", *"stat", "enter", "space", "e", "&", *"quit", "enter", "o")
        tab = shown.app.query_one(TranscriptTab)
        assert tab.pane.frozen
        assert [row.command for row in tab._table.rows] == ["QUIT"]
        assert "slowest first" in tab.status

    play(scene, *FACTS)


def test_an_answer_typed_ahead_is_for_the_question() -> None:
    async def scene(shown: Played) -> None:
        await shown.type_ahead("?", "escape", "j", "enter", "r", "escape", "j", "r")
        assert shown.source.performed == [PollClient("work"), PollClient("home")]

    play(scene, *FACTS)
