"""When a client runs: pure arithmetic on boottime seconds, and the one wait that notices suspend (SPEC 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import ExitCode

#: Between two sessions of a client with freq=0 and no limit of runs.
MIN_INTERVAL = 1.0
#: First starts of a large fleet are spread over at most so long.
SPREAD = 60.0
#: A rejected login doubles the interval up to this.
LONGEST_BACKOFF = 3600.0
#: How often the two clocks are compared, and what difference means that the machine was suspended.
TICK, SUSPENDED = 15.0, 2.0


def first_due(index: int, count: int, client: ClientSettings, start: float, delay: float, total: int) -> float:
    """Return when the client that is `index` of `count` first runs, having started at `start`."""
    due = start + delay
    if count > total:
        due += index / count * min(client.frequency, SPREAD)  # nothing for freq=0: --once means at once
    return due


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What of a finished session bears on the next start. login_delay is the server's, in seconds."""

    code: ExitCode
    login_delay: int = 0


def interval(client: ClientSettings, outcome: SessionOutcome, rejections: int) -> float:
    """Return the seconds from the end of a session to the next start.

    `rejections` counts the rejected logins in a row, this one included.
    """
    wait = client.frequency
    if not wait and not client.runs:
        wait = MIN_INTERVAL
    if rejections:
        wait = min(max(wait, MIN_INTERVAL) * 2.0 ** min(rejections, 20), max(LONGEST_BACKOFF, wait))
    return max(wait, float(outcome.login_delay))


class BoottimeTimer:
    """Waits for due times on the machine's boottime clock.

    trio's clock stands still while the machine is suspended. A ticker compares the two; after a suspend it calls
    `on_resume` and then wakes everybody, and who is overdue runs.
    """

    def __init__(self, clock: Clock, on_resume: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._on_resume = on_resume
        self._resumed = trio.Event()

    async def wait_until(self, due: float) -> None:
        """Return when boottime has reached `due`."""
        while (left := due - self._clock.boottime()) > 0:
            with trio.move_on_after(left):
                await self._resumed.wait()

    async def run(self) -> None:
        """Compare the clocks for ever."""
        offset = self._clock.boottime() - trio.current_time()
        while True:
            await trio.sleep(TICK)
            now = self._clock.boottime() - trio.current_time()
            if abs(now - offset) > SUSPENDED:
                self._on_resume()
                self._resumed.set()
                self._resumed = trio.Event()
            offset = now
