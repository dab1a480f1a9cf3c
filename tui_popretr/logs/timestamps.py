"""Timestamps of log lines: local time with milliseconds."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

_MILLISECONDS = tuple(f".{number:03}" for number in range(1000))


def date_and_time(when: datetime) -> str:
    """Return `2026-11-23 07:27:59.107`: the wall-clock time of `when`, rounded down to milliseconds."""
    return when.replace(tzinfo=None).isoformat(" ", "milliseconds")


def time_of_day(when: datetime) -> str:
    """Return `07:27:59.107`. Cached per second, because a transcript has many lines in one second."""
    return _seconds((when.hour * 60 + when.minute) * 60 + when.second) + _MILLISECONDS[when.microsecond // 1000]


@lru_cache(maxsize=4)
def _seconds(of_day: int) -> str:
    return f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
