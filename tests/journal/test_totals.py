"""Sums by hour and day, medians, and the latest deliveries."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.journal import versions
from tui_popretr.errors import ExitCode
from tui_popretr.journal import totals as module
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveryRow, SessionFigures, SessionRow, TallyRow

HOUR, DAY = 3600, 24 * 3600
#: 2020-01-01 23:30 in UTC, and 05:00 of the next day in India.
LATE = 1_577_921_400


@pytest.fixture(params=["UTC", "Asia/Kolkata"])
def offset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The seconds by which local time is ahead of UTC."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield {"UTC": 0, "Asia/Kolkata": 19_800}[request.param]
    monkeypatch.undo()
    time.tzset()


def session(end: int, messages: int = 1, *, client: str = "a", code: ExitCode = ExitCode.OK) -> SessionRow:
    return SessionRow(client, end - 4, end, code, messages, 10 * messages, "" if code is ExitCode.OK else "bad", 4.0)


def delivery(number: int, subject: str | None = "hello") -> DeliveryRow:
    return DeliveryRow("a", 1, 0.5, number, "u", 120, "File=/x", "/x", None, "a@b", "Ann", subject)


def test_sums_of_the_hour_and_day_of_local_time(journal: Journal, offset: int) -> None:
    rows = [session(LATE, 2), session(LATE + 60, 3, code=ExitCode.LOGIN), session(LATE + HOUR, 1, client="b")]
    journal.record_totals(rows[:1])
    journal.record_totals(rows[1:])
    hour = LATE - (LATE + offset) % HOUR
    later = hour + HOUR
    assert journal.tallies(daily=False, since=0, client="a") == [TallyRow(hour, 2, 1, 5, 50)]
    assert journal.tallies(daily=False, since=0) == [TallyRow(hour, 2, 1, 5, 50), TallyRow(later, 1, 0, 1, 10)]
    assert journal.tallies(daily=False, since=later) == [TallyRow(later, 1, 0, 1, 10)]
    day = (LATE + offset) // DAY
    next_day = (LATE + HOUR + offset) // DAY
    assert journal.tallies(daily=True, since=0, client="b") == [TallyRow(next_day, 1, 0, 1, 10)]
    whole = [TallyRow(day, 2, 1, 5, 50), TallyRow(next_day, 1, 0, 1, 10)]
    assert journal.tallies(daily=True, since=0) == (whole if day != next_day else [TallyRow(day, 3, 1, 6, 60)])


def test_old_sums_are_removed(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_HOURS", 2 * HOUR)
    monkeypatch.setattr(module, "KEPT_DAYS", 3)
    journal.record_totals([session(LATE, client="gone"), session(LATE)])
    for day in range(1, 7):
        journal.record_totals([session(LATE + day * DAY)])
    ends = [tally.begin for tally in journal.tallies(daily=True, since=0, client="a")]
    assert ends == list(range(ends[-1] - 3, ends[-1] + 1))
    assert len(journal.tallies(daily=False, since=0, client="a")) == 3
    assert [tally.begin for tally in journal.tallies(daily=True, since=0)] == ends
    assert len(journal.tallies(daily=True, since=0, client="gone")) == 1, "removed at the next start"
    journal._pruned = False
    journal.record_totals([session(LATE + 7 * DAY)])
    assert journal.tallies(daily=True, since=0, client="gone") == []


@pytest.mark.parametrize("wrong", [0, LATE + 80 * 365 * DAY])
@pytest.mark.parametrize("pruned", [True, False])
def test_a_clock_that_is_years_off_loses_no_sums(journal: Journal, wrong: int, pruned: bool) -> None:
    journal.record_totals([session(LATE), session(LATE + DAY)])
    before = journal.tallies(daily=True, since=0), journal.tallies(daily=False, since=0)
    journal._pruned = pruned
    for _ in range(3):
        journal.record_totals([session(wrong)])
    journal.record_totals([session(LATE + 2 * DAY)])
    after = journal.tallies(daily=True, since=0), journal.tallies(daily=False, since=0)
    assert set(before[0]) < set(after[0])
    assert set(before[1]) < set(after[1])


def test_medians_of_the_sessions_that_are_kept(journal: Journal) -> None:
    assert journal.figures() == SessionFigures(None, None)
    journal.record_sessions(
        [
            session(LATE)._replace(seconds=2.0, octets=100),
            session(LATE)._replace(seconds=4.0, octets=100),
            session(LATE, 0)._replace(seconds=9.0),
            session(LATE, 0, client="b")._replace(seconds=1.0),
            session(LATE, code=ExitCode.LOGIN)._replace(seconds=99.0),
            session(LATE)._replace(seconds=None),
            session(LATE)._replace(seconds=0.0),
        ]
    )
    assert journal.figures("a") == SessionFigures(3.0, 37.5)
    assert journal.figures("b") == SessionFigures(1.0, None)
    assert journal.figures() == SessionFigures(2.0, 37.5)


def test_the_latest_deliveries_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_DELIVERIES", 3)
    journal.record_deliveries([delivery(1), delivery(2, None)])
    assert journal.recent_deliveries() == [delivery(1), delivery(2, None)]
    journal.record_deliveries([delivery(number) for number in range(3, 6)])
    assert [each.number for each in journal.recent_deliveries()] == [3, 4, 5]


@pytest.mark.parametrize("version", versions.TABLES)
def test_an_upgrade_sums_the_kept_sessions(path: str, version: int, offset: int) -> None:
    versions.make(path, version)
    now = int(time.time())
    with closing(sqlite3.connect(path)) as connection, connection:
        for end in (now, LATE, -5):
            connection.execute("INSERT INTO session VALUES (NULL, 'new', ?1, ?1, 0, 2, 20, '')", (end,))
    with closing(Journal.open(path)) as journal:
        assert journal.tallies(daily=False, since=0) == [TallyRow(now - (now + offset) % HOUR, 1, 0, 2, 20)]
        days = {(end + offset) // DAY for end in (now, LATE)}
        assert {each.begin for each in journal.tallies(daily=True, since=0, client="new")} == days
