"""Bars by hour, day and week."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import local
from tui_popretr.answers import Statistics, Tally
from tui_popretr.ui.model.statistics import Measure, Period, chart, columns, labels, mark_lines, medians, scale

NOW = local(2026, 11, 23, 7, 27)  # a Monday
DAY = local(2026, 11, 23)


def days(*counts: int, failures: int = 0) -> Statistics:
    """Statistics with these numbers of messages: today, yesterday and so on."""
    tallies = [Tally(DAY - timedelta(days=back), 1, failures, count, 10 * count) for back, count in enumerate(counts)]
    return Statistics("isp", (), tuple(reversed(tallies)))


def test_thirty_days() -> None:
    made = chart(days(5, 0, 12), Period.DAYS, Measure.MESSAGES, NOW)
    assert len(made.bars) == 30
    assert [bar.value for bar in made.bars[-4:]] == [0, 12, 0, 5]
    assert [bar.sessions for bar in made.bars[-4:]] == [0, 1, 1, 1]
    assert made.marks == (0, 5, 10, 15)
    assert (made.top, made.total, made.failures, made.empty) == (15, 17, 0, False)
    assert labels(made)[-1] == "Mon 23 Nov"
    assert chart(days(5), Period.DAYS, Measure.OCTETS, NOW).total == 50


def test_twenty_six_weeks() -> None:
    made = chart(days(1, 2, 4, *[0] * 5, 8), Period.WEEKS, Measure.MESSAGES, NOW)
    assert len(made.bars) == 26
    assert [bar.value for bar in made.bars[-3:]] == [8, 6, 1]
    assert labels(made)[-1] == "week of 23 Nov"


def test_forty_eight_hours_across_a_change_of_the_clock() -> None:
    now = local(2026, 10, 25, 7, 27)  # summer time has ended at 3:00, which was 2:00 then
    tallies = tuple(
        Tally(at, 1, 1, count, 0)
        for at, count in (
            (local(2026, 10, 25, 2, offset=2), 1),
            (local(2026, 10, 25, 2), 2),
            (local(2026, 10, 25, 7), 4),
            (local(2026, 10, 20), 8),
        )
    )
    made = chart(Statistics(None, tallies, ()), Period.HOURS, Measure.MESSAGES, now)
    assert len(made.bars) == 48
    assert [bar.value for bar in made.bars[-7:]] == [1, 2, 0, 0, 0, 0, 4]
    assert [bar.failed for bar in made.bars[-7:]] == [True, True, False, False, False, False, True]
    assert labels(made)[-1] == "07:00"


def test_days_before_a_change_of_the_clock() -> None:
    summer = Tally(local(2026, 10, 24, offset=2), 1, 0, 3, 0)
    made = chart(Statistics(None, (), (summer,)), Period.DAYS, Measure.MESSAGES, local(2026, 10, 26, 7))
    assert [bar.value for bar in made.bars[-3:]] == [3, 0, 0]


def test_no_session() -> None:
    made = chart(Statistics(None, (), ()), Period.HOURS, Measure.MESSAGES, NOW)
    assert (made.empty, made.total, made.top) == (True, 0, 1)
    assert columns(made, 2) == [" " * 48] * 2


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (3, (0, 1, 2, 3)),
        (5, (0, 2, 4, 6)),
        (12, (0, 5, 10, 15)),
        (1_234, (0, 500, 1000, 1500)),
        (8_000_000, (0, 2_000_000, 4_000_000, 6_000_000, 8_000_000)),
    ],
)
def test_a_scale(most: int, marks: tuple[int, ...]) -> None:
    assert scale(most) == marks


@given(st.integers(0, 10**15))
def test_any_scale(most: int) -> None:
    marks = scale(most)
    assert marks[0] == 0
    assert marks[-1] >= most
    assert 2 <= len(marks) <= 5
    assert len({after - before for before, after in pairwise(marks)}) == 1


def test_bars_of_characters() -> None:
    made = chart(days(15, 8, 1, 0), Period.DAYS, Measure.MESSAGES, NOW)
    assert [line[-4:] for line in columns(made, 2)] == ["  ▁█", " ▁██"]
    assert [line[-4:] for line in columns(made, 2, halves=True)] == ["   █", " ▄██"]
    assert mark_lines(made, 3) == {0: "15", 1: "10", 2: "5"}
    octets = chart(days(15_000), Period.DAYS, Measure.OCTETS, NOW)
    assert mark_lines(octets, 4) == {0: "150 kB", 1: "100 kB", 3: "50 kB"}


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.integers(1, 20), st.booleans())
def test_any_bars(counts: list[int], height: int, halves: bool) -> None:
    made = chart(days(*counts), Period.DAYS, Measure.MESSAGES, NOW)
    lines = columns(made, height, halves=halves)
    assert len(lines) == height
    for at, bar in enumerate(made.bars):
        column = [line[at] for line in lines]
        assert (set(column) == {" "}) == (bar.value == 0)
        full = [character == "█" for character in column]
        assert full == sorted(full), "a bar stands on the ground"


def test_medians_in_words() -> None:
    assert medians(Statistics(None, (), (), 2.4, 1_200_000.0)) == "median session 2.4 s, 1.2 MB/s"
    assert medians(Statistics(None, (), (), 2.4)) == "median session 2.4 s"
    assert medians(Statistics(None, (), ())) == ""


def test_periods_in_turn() -> None:
    period, seen = Period.DAYS, []
    for _ in range(3):
        seen.append(period.title)
        period = period.following
    assert seen == ["per day", "per week", "per hour"]
    assert isinstance(chart(days(1), period, Measure.MESSAGES, NOW).bars[0].begin, datetime)
