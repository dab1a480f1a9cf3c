"""A clock that only a test moves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class FakeClock:
    """Both times of clock.Clock, standing still until they are set or advanced.

    `wall` is what now() returns: an aware datetime. A clock change is set(wall=...) with another UTC offset.
    """

    def __init__(self, wall: datetime | None = None, boottime: float = 1000.0) -> None:
        self.wall = wall or local(2026, 11, 23, 7, 27, 59, 107)
        self.seconds = boottime

    def boottime(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return "this boot"

    def now(self) -> datetime:
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)

    def set(self, *, wall: datetime | None = None, boottime: float | None = None) -> None:
        """Set one clock and leave the other alone, as a jump of the wall clock does."""
        if wall is not None:
            self.wall = wall
        if boottime is not None:
            self.seconds = boottime


def local(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, ms: int = 0, *, offset: int = 1
) -> datetime:
    """Return a local time as SystemClock gives it: aware, with the UTC offset (hours) of the moment."""
    zone = timezone(timedelta(hours=offset))
    return datetime(year, month, day, hour, minute, second, ms * 1000, tzinfo=zone)
