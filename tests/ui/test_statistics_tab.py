"""The tab Statistics: bars with a scale, failures, medians, and what they are of."""

from __future__ import annotations

from datetime import timedelta

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, closed, play, result
from tui_popretr.answers import Statistics, Tally
from tui_popretr.commands import ReadStatistics

NOW = FakeClock().now()
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)
ALL = Statistics(
    None,
    (Tally(HOUR - timedelta(hours=1), 4, 1, 40, 4_000_000),),
    (Tally(MIDNIGHT - timedelta(days=2), 10, 1, 100, 9_000_000), Tally(MIDNIGHT, 5, 0, 50, 1_000_000)),
    2.4,
    1_200_000.0,
)


def source_of(statistics: Statistics | ValueError = ALL) -> ScriptedSource:
    source = ScriptedSource()
    source.tell(clients("isp", "work"))
    source.answers[ReadStatistics] = statistics
    return source


def test_bars_have_scale_failures_and_medians() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6", "f", "tab")
        assert shown.source.asked[0] == ReadStatistics(None)
        assert "Messages per day, all clients" in shown.text
        assert "100┤" in shown.text
        assert "0└──" in shown.text
        assert shown.row("failed").count("✗") == 1
        assert "150 messages in all · 1 session failed · median session 2.4 s, 1.2 MB/s" in shown.text
        assert shown.row("100┤").count("█") == 1
        assert f"{MIDNIGHT:%a} {MIDNIGHT.day} {MIDNIGHT:%b}" in shown.text

    play(scene, source=source_of())


def test_v_changes_the_time_and_m_the_measure() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6", "tab", "m")
        assert "Octets per day" in shown.text
        assert "10 MB in all" in shown.text
        await shown.press("m", "v", "v")
        seen = shown.text
        assert "Messages per week" in seen or "Messages per hour" in seen
        await shown.press("v")
        assert "Messages per day" in shown.text

    play(scene, source=source_of())


def test_c_shows_the_selected_client() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6", "tab", "c")
        assert shown.source.asked[-1] == ReadStatistics("isp")
        assert "per day, isp" in shown.text
        assert "150 messages" not in shown.text  # the answer is of all
        await shown.press("escape", "j")
        assert shown.source.asked[-1] == ReadStatistics("work")

    play(scene, source=source_of())


def test_statistics_are_read_again_after_a_session() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6")
        asked = len(shown.source.asked)
        await shown.wait(5)
        assert len(shown.source.asked) == asked
        for _ in range(3):
            await shown.tell(closed("isp", result(NOW)))
            assert len(shown.source.asked) == asked + 1
        await shown.wait(1)
        assert len(shown.source.asked) == asked + 2, "once a second"

    play(scene, source=source_of())


def test_without_sessions_it_says_what_to_do() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6")
        assert "No session has ended in this time." in shown.text

    play(scene, source=source_of(Statistics(None, (), ())))


def test_a_journal_that_cannot_be_read_is_reported() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6")
        assert "the journal is damaged" in shown.text

    play(scene, source=source_of(ValueError("the journal is damaged")))


def test_a_narrow_terminal_shows_the_latest_bars() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("6", "v")
        assert all(len(row) <= 45 for row in shown.rows)
        assert "┤" in shown.text

    play(scene, source=source_of(), size=(45, 15))
