"""The machine's clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tui_popretr import clock
from tui_popretr.clock import SystemClock


def test_now_is_local_time_with_its_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        now = SystemClock().now()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert now.utcoffset() == timedelta(hours=5, minutes=30)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("XYZ+23:59", -(24 * 60 - 1)),
        ("UTC+99:99", 0),
        ("UTC-99:99", 0),
        ("XYZ+24", 0),
        (":/etc/passwd", 0),
        ("No/Where", 0),
    ],
)
def test_a_zone_that_is_none_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str, offset: int) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = SystemClock().now()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert now.utcoffset() == timedelta(minutes=offset)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_offset_is_looked_up_again_at_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summer time ends at 01:00 UTC; the clock was made, and used, before."""
    seconds = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC).timestamp()

    class Moved(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(seconds, tz)  # type: ignore[arg-type]

    monkeypatch.setattr(clock, "datetime", Moved)
    monkeypatch.setattr(time, "time", lambda: seconds)
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    try:
        system = SystemClock()
        before = system.now()
        seconds += 2
        after = system.now()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (before.utcoffset(), after.utcoffset()) == (timedelta(hours=2), timedelta(hours=1))
    assert after - before == timedelta(seconds=2)
