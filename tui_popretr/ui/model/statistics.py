"""Statistics as bars: messages or octets by hour, day or week, with a scale, failures, and medians. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from tui_popretr.answers import Statistics, Tally
from tui_popretr.wording import duration, size

#: The steps of a scale, times a power of ten.
_STEPS: Final = (1, 2, 5, 10)
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_HALVES: Final = " ▄█"


class Period(Enum):
    """What a bar stands for, and how many bars there are."""

    HOURS = 48
    DAYS = 30
    WEEKS = 26

    @property
    def title(self) -> str:
        return {Period.HOURS: "per hour", Period.DAYS: "per day", Period.WEEKS: "per week"}[self]

    @property
    def following(self) -> Period:
        """The next one, in turn."""
        members = list(Period)
        return members[(members.index(self) + 1) % len(members)]


class Measure(Enum):
    """What the bars measure."""

    MESSAGES = "messages"
    OCTETS = "octets"

    def of(self, tally: Tally) -> int:
        return tally.messages if self is Measure.MESSAGES else tally.octets

    def shown(self, value: int) -> str:
        """Return a value of a scale: "1,200", "340 kB"."""
        return f"{value:,}" if self is Measure.MESSAGES else size(value)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: the sums over its time, which begins at `begin`."""

    begin: datetime
    value: int
    sessions: int = 0
    failures: int = 0

    @property
    def failed(self) -> bool:
        """Whether a session failed: the bar is marked."""
        return self.failures > 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, oldest first, and the values of the scale's marks: 0, steps, and the top, which no bar exceeds."""

    period: Period
    measure: Measure
    bars: tuple[Bar, ...]
    marks: tuple[int, ...]

    @property
    def top(self) -> int:
        return self.marks[-1]

    @property
    def total(self) -> int:
        return sum(bar.value for bar in self.bars)

    @property
    def failures(self) -> int:
        return sum(bar.failures for bar in self.bars)

    @property
    def empty(self) -> bool:
        """Whether no session ended in all the time."""
        return not any(bar.sessions for bar in self.bars)


def chart(statistics: Statistics, period: Period, measure: Measure, now: datetime) -> Chart:
    """Return the chart of a period that ends now (local time)."""
    begins = _begins(period, now)
    source = statistics.hours if period is Period.HOURS else statistics.days
    bars: dict[datetime, Bar] = {begin: Bar(begin, 0) for begin in begins}
    for tally in source:
        begin = _begin(period, tally.begin)
        bar = bars.get(begin)
        if bar is not None:
            value = bar.value + measure.of(tally)
            bars[begin] = Bar(begin, value, bar.sessions + tally.sessions, bar.failures + tally.failures)
    values = tuple(bars[begin] for begin in begins)
    return Chart(period, measure, values, scale(max(bar.value for bar in values)))


def _begin(period: Period, at: datetime) -> datetime:
    """Return when the hour, day or week of a time begins; weeks begin on Monday.

    Days have no time zone, because its offset changes in summer.
    """
    hour = at.replace(minute=0, second=0, microsecond=0)
    if period is Period.HOURS:
        return hour
    day = hour.replace(hour=0, tzinfo=None)
    return day if period is Period.DAYS else day - timedelta(days=day.weekday())


def _begins(period: Period, now: datetime) -> list[datetime]:
    step = {Period.HOURS: timedelta(hours=1), Period.DAYS: timedelta(days=1), Period.WEEKS: timedelta(weeks=1)}[period]
    last = _begin(period, now)
    return [last - step * back for back in range(period.value - 1, -1, -1)]


def scale(most: int, marks: int = 4) -> tuple[int, ...]:
    """Return the values of a scale from 0 to at least `most` (and at least 1), with at most `marks` steps."""
    most = max(most, 1)
    power = 1
    while True:
        for factor in _STEPS:
            step = factor * power
            if step * marks >= most:
                return tuple(range(0, step * -(-most // step) + 1, step))
        power *= 10


def columns(chart: Chart, height: int, *, halves: bool = False) -> list[str]:
    """Return the bars as `height` lines of one character each, the top line first.

    A bar that is not 0 has at least the smallest block. With `halves` only half blocks: every terminal has them.
    """
    blocks = _HALVES if halves else _EIGHTHS
    fine = len(blocks) - 1
    levels = [max(round(bar.value * height * fine / chart.top), 1 if bar.value else 0) for bar in chart.bars]
    return [
        "".join(blocks[max(0, min(fine, level - line * fine))] for level in levels)
        for line in range(height - 1, -1, -1)
    ]


def mark_lines(chart: Chart, height: int) -> dict[int, str]:
    """Return the labels of the scale, by the line that they are at, 0 for the top; 0 itself is below the last line."""
    lines: dict[int, str] = {}
    for mark in reversed(chart.marks[1:]):
        lines.setdefault(height - max(1, round(mark * height / chart.top)), chart.measure.shown(mark))
    return lines


def labels(chart: Chart) -> list[str]:
    """Return a label for each bar: "14:00", "Mon 30 Nov", "week of 30 Nov"."""
    form = {Period.HOURS: "%H:%M", Period.DAYS: "%a %-d %b", Period.WEEKS: "week of %-d %b"}[chart.period]
    return [bar.begin.strftime(form) for bar in chart.bars]


def medians(statistics: Statistics) -> str:
    """Return the medians in words: "median session 2.4 s, 1.2 MB/s"; "" without one."""
    parts = []
    if statistics.duration is not None:
        parts.append(duration(statistics.duration))
    if statistics.rate is not None:
        parts.append(f"{size(statistics.rate)}/s")
    return f"median session {', '.join(parts)}" if parts else ""
