"""The two times of the program: due times that count suspend, and the wall clock that people read."""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from typing import Protocol

# Linux's monotonic clock stands still while the machine sleeps; a mail due at 8:00 must not wait for that.
_DUE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where the engine reads the time; tests give it one they can move."""

    def boottime(self) -> float:
        """Seconds on a clock that only goes forward and counts suspend (CLOCK_BOOTTIME). Due times are on it."""
        ...

    def boot(self) -> str:
        """An identifier of this boot of the machine, "" if unknown. When it changes, boottime() has begun again."""
        ...

    def now(self) -> datetime:
        """The wall clock as an aware datetime in local time. For people and logs; never for scheduling."""
        ...


def local_time(when: datetime) -> datetime:
    """Return a time in local time; in UTC where TZ names an offset of a day or more, which datetime cannot express."""
    try:
        return when.astimezone()
    except ValueError:
        return when.astimezone(UTC)


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._quarter = -1
        self._zone: tzinfo | None = None
        self._boot: str | None = None

    def boottime(self) -> float:
        return time.clock_gettime(_DUE_CLOCK)

    def boot(self) -> str:
        if self._boot is None:
            try:
                with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                    self._boot = file.read(64).strip()
            except (OSError, ValueError):
                self._boot = ""
        return self._boot

    def now(self) -> datetime:
        # Offsets change at a quarter of an hour, and the time is asked for several times a message.
        quarter = int(time.time() // 900)
        if quarter != self._quarter:
            self._zone = local_time(datetime.now(UTC)).tzinfo
            self._quarter = quarter
        return datetime.now(self._zone)
