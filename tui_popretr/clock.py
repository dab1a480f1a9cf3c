"""The two clocks of the program: one for due times, which counts suspend, and the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from typing import Protocol

# Linux's monotonic clock stops while the machine is suspended, and a session due at 8:00 would start late.
_DUE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """The clocks of the engine; tests use one that they can set."""

    def boottime(self) -> float:
        """Return seconds on a monotonic clock that counts suspend (CLOCK_BOOTTIME). Due times are on this clock."""
        ...

    def boot(self) -> str:
        """Return an identifier of this boot, "" if unknown. When it changes, boottime() has started from 0 again."""
        ...

    def now(self) -> datetime:
        """Return the wall-clock time, aware and local. For people and logs, never for scheduling."""
        ...


def local_time(when: datetime) -> datetime:
    """Return a time in local time, or in UTC if TZ has an offset of a day or more, which datetime cannot express."""
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
        # The offset of a zone changes only at a quarter of an hour, and now() is called several times per message.
        quarter = int(time.time() // 900)
        if quarter != self._quarter:
            self._zone = local_time(datetime.now(UTC)).tzinfo
            self._quarter = quarter
        return datetime.now(self._zone)
