"""When a client runs: arithmetic on boottime seconds, and a timer that notices a suspend of the machine."""

from __future__ import annotations

from collections.abc import Callable

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.model import ClientSettings

#: Seconds between two sessions of a client with freq=0 and no limit of runs.
MIN_INTERVAL = 1.0
#: The first sessions of many clients are spread over at most this time, seconds.
SPREAD = 60.0
#: Each rejected login in a row doubles the interval, up to this time, seconds.
LONGEST_BACKOFF = 3600.0
#: Seconds between two comparisons of the clocks, and the difference that shows a suspend.
TICK, SUSPENDED = 15.0, 2.0


def first_due(index: int, count: int, client: ClientSettings, start: float, delay: float, total: int) -> float:
    """Return when client `index` of `count` first runs, if the program started at `start`."""
    due = start + delay
    if count > total:
        due += index / count * min(client.frequency, SPREAD)  # freq=0 (--once) means at once
    return due


def interval(client: ClientSettings, *, rejections: int, login_delay: int) -> float:
    """Return the seconds from the end of a session to the next start.

    `rejections` is the number of rejected logins in a row, including this session's. `login_delay` is the server's
    LOGIN-DELAY in seconds.
    """
    wait = client.frequency
    if not wait and not client.runs:
        wait = MIN_INTERVAL
    if rejections:
        wait = min(max(wait, MIN_INTERVAL) * 2.0 ** min(rejections, 20), max(LONGEST_BACKOFF, wait))
    return max(wait, float(login_delay))


class BoottimeTimer:
    """Waits for due times on the machine's boottime clock.

    trio's clock stops while the machine is suspended. run() compares the two clocks; after a suspend it calls
    `on_resume` and then wakes all waiting tasks, so that overdue clients run.
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
