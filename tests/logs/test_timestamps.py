"""Times in log lines."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import local
from tui_popretr.logs.timestamps import date_and_time, time_of_day


def test_milliseconds_are_cut_off_not_rounded() -> None:
    when = local(2026, 11, 23, 7, 27, 59, 107).replace(microsecond=107_999)
    assert date_and_time(when) == "2026-11-23 07:27:59.107"
    assert time_of_day(when) == "07:27:59.107"


@settings(max_examples=60)
@given(st.datetimes(timezones=st.just(UTC)))
def test_time_of_day_is_the_end_of_date_and_time(when: datetime) -> None:
    assert date_and_time(when) == when.replace(tzinfo=None).isoformat(" ", "milliseconds")
    assert time_of_day(when) == date_and_time(when)[-12:]
