"""Log file names: tokens, and the periods of a rotation at every boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import local
from tui_popretr.config.choices import Rotation
from tui_popretr.logs.naming import expand, number_of, numbered, period_start

WHEN = local(2026, 11, 26, 7, 27, 59, 107)  # a Thursday

BOUNDARIES = [
    # rotation, the last moment of a period, the first of the next, how %DT% shows the two
    (Rotation.MINUTE, local(2026, 11, 23, 7, 59, 59), local(2026, 11, 23, 8, 0, 0), "20261123_0759", "20261123_0800"),
    (Rotation.MINUTE, local(2026, 12, 31, 23, 59, 59), local(2027, 1, 1, 0, 0, 0), "20261231_2359", "20270101_0000"),
    (Rotation.HOURLY, local(2026, 11, 23, 7, 59, 59), local(2026, 11, 23, 8, 0, 0), "20261123_0700", "20261123_0800"),
    (Rotation.HOURLY, local(2026, 2, 28, 23, 59, 59), local(2026, 3, 1, 0, 0, 0), "20260228_2300", "20260301_0000"),
    (Rotation.DAILY, local(2026, 11, 30, 23, 59, 59), local(2026, 12, 1, 0, 0, 0), "20261130", "20261201"),
    (Rotation.DAILY, local(2028, 2, 28, 23, 59, 59), local(2028, 2, 29, 0, 0, 0), "20280228", "20280229"),
    (Rotation.WEEKLY, local(2026, 11, 29, 23, 59, 59), local(2026, 11, 30, 0, 0, 0), "20261123", "20261130"),
    (Rotation.WEEKLY, local(2027, 1, 3, 23, 59, 59), local(2027, 1, 4, 0, 0, 0), "20261228", "20270104"),
    (Rotation.MONTHLY, local(2026, 11, 30, 23, 59, 59), local(2026, 12, 1, 0, 0, 0), "202611", "202612"),
    (Rotation.MONTHLY, local(2026, 12, 31, 23, 59, 59), local(2027, 1, 1, 0, 0, 0), "202612", "202701"),
    (Rotation.YEARLY, local(2026, 12, 31, 23, 59, 59), local(2027, 1, 1, 0, 0, 0), "2026", "2027"),
]


@pytest.mark.parametrize(("rotation", "last", "first", "before", "after"), BOUNDARIES)
def test_boundary(rotation: Rotation, last: datetime, first: datetime, before: str, after: str) -> None:
    ending, beginning = last + timedelta(milliseconds=999), first
    assert expand("%DT%", rotation, ending, 1) == before
    assert expand("%DT%", rotation, beginning, 1) == after
    assert period_start(rotation, beginning) == beginning.replace(tzinfo=None)
    old, new = period_start(rotation, ending), period_start(rotation, beginning)
    assert old is not None
    assert new is not None
    assert old < new


def test_without_rotation_tokens_show_the_present_time() -> None:
    assert period_start(Rotation.NEVER, WHEN) is None
    assert expand("x-%DT%.log", Rotation.NEVER, WHEN, 1) == "x-20261126_072759.log"


def test_every_token() -> None:
    path = "/l/%Y%/%M%/%D%/%h%.%m%.%s%-%PID%.log"
    assert expand(path, Rotation.NEVER, WHEN, 4711) == "/l/2026/11/26/07.27.59-4711.log"


def test_with_rotation_tokens_show_the_start_of_the_period() -> None:
    # 1 January 2027 is a Friday: its week began in 2026, and so must the folder
    when = local(2027, 1, 1, 12, 30, 15)
    assert expand("Y%Y%/%M%%D%-%DT%", Rotation.WEEKLY, when, 1) == "Y2026/1228-20261228"
    assert expand("%Y%%M%%D%%h%%m%%s%", Rotation.HOURLY, when, 1) == "20270101120000"


def test_other_percent_signs_stay() -> None:
    assert expand("%stdout% %% %d% %H% 100%", Rotation.DAILY, WHEN, 1) == "%stdout% %% %d% %H% 100%"


def test_what_a_token_brings_is_not_expanded_again() -> None:
    assert expand("%%PID%%", Rotation.NEVER, WHEN, 7) == "%7%"


@pytest.mark.parametrize("rotation", [r for r in Rotation if r not in (Rotation.NEVER, Rotation.MINUTE)])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (local(2026, 3, 29, 1, 59, 59, offset=1), local(2026, 3, 29, 3, 0, 0, offset=2)),
        (local(2026, 10, 25, 2, 59, 59, offset=2), local(2026, 10, 25, 2, 0, 0, offset=1)),
    ],
    ids=["spring", "autumn"],
)
def test_a_clock_change_within_a_period_does_not_end_it(rotation: Rotation, before: datetime, after: datetime) -> None:
    if rotation is Rotation.HOURLY and before.hour != after.hour:
        assert period_start(rotation, after) == datetime(2026, 3, 29, 3)  # noqa: DTZ001
    else:
        assert period_start(rotation, before) == period_start(rotation, after)
        assert expand("%DT%", rotation, before, 1) == expand("%DT%", rotation, after, 1)


def test_local_time_counts_not_utc() -> None:
    assert expand("%DT%", Rotation.DAILY, local(2026, 11, 24, 0, 30, offset=1), 1) == "20261124"
    assert expand("%DT%", Rotation.DAILY, local(2026, 11, 23, 20, 30, offset=-5), 1) == "20261123"


moments = st.datetimes(min_value=datetime(1000, 1, 8), timezones=st.just(UTC))  # noqa: DTZ001
rotations = st.sampled_from([r for r in Rotation if r is not Rotation.NEVER])


@settings(max_examples=60)
@given(rotation=rotations, when=moments, later=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_period_contains_its_moment_and_its_start_names_it(
    rotation: Rotation, when: datetime, later: timedelta
) -> None:
    start = period_start(rotation, when)
    assert start is not None
    assert start <= when.replace(tzinfo=None)
    assert period_start(rotation, start) == start
    assert expand("%DT%", rotation, start, 1) == expand("%DT%", rotation, when, 1)
    if when <= datetime.max.replace(tzinfo=UTC) - later:
        other = period_start(rotation, when + later)
        assert other is not None
        assert other >= start
        # one name for one period, and for no other
        assert (other == start) == (expand("%DT%", rotation, when, 1) == expand("%DT%", rotation, when + later, 1))


@settings(max_examples=60)
@given(when=moments, pieces=st.lists(st.sampled_from(["%DT%", "%Y%", "%s%", "%PID%", "%", "%%", "x", "/"]), max_size=8))
def test_expanding_again_changes_nothing(when: datetime, pieces: list[str]) -> None:
    path = "a" + "b".join(pieces)
    once = expand(path, Rotation.NEVER, when, 12)
    assert "%DT%" not in once
    assert expand(once, Rotation.NEVER, when, 12) == once


@given(first=st.text(min_size=1, max_size=8), number=st.integers(0, 999_999_999))
@settings(max_examples=60)
def test_numbers_are_found_again(first: str, number: int) -> None:
    assert number_of(numbered(first, number), first) == number


@pytest.mark.parametrize(
    "name", ["a.log.0", "a.log.01", "a.log.gz", "a.log.1.gz", "b.log.1", "a.log.", "a.log1", "a.log.١"]
)
def test_other_names_are_no_continuations(name: str) -> None:
    assert number_of(name, "a.log") is None
