"""When clients run."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock, local
from tests.support.making import client_settings
from tui_popretr.engine.schedule import (
    LONGEST_BACKOFF,
    MIN_INTERVAL,
    TICK,
    BoottimeTimer,
    first_due,
    interval,
)

# --- first starts -----------------------------------------------------------------------------------------------------


def firsts(count: int, total: int, frequency: float = 300.0) -> list[float]:
    client = client_settings(frequency=frequency)
    return [first_due(index, count, client, 1000.0, 60.0, total) for index in range(count)]


def test_a_small_fleet_starts_together_after_delay_start() -> None:
    assert firsts(count=4, total=4) == [1060.0] * 4


def test_a_large_fleet_is_spread_over_a_minute() -> None:
    assert firsts(count=6, total=4) == [1060.0, 1070.0, 1080.0, 1090.0, 1100.0, 1110.0]


@pytest.mark.parametrize(("frequency", "span"), [(30.0, 30.0), (60.0, 60.0), (3600.0, 60.0), (0.0, 0.0)])
def test_the_spread_is_at_most_freq(frequency: float, span: float) -> None:
    dues = firsts(count=100, total=10, frequency=frequency)
    assert dues == sorted(dues)
    assert dues[0] == 1060.0
    assert dues[-1] == pytest.approx(1060.0 + span * 0.99)


# --- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frequency", "runs", "expected"), [(300.0, 0, 300.0), (0.25, 0, 0.25), (0.0, 3, 0.0), (0.0, 0, MIN_INTERVAL)]
)
def test_the_interval_is_freq_or_the_minimum(frequency: float, runs: int, expected: float) -> None:
    assert interval(client_settings(frequency=frequency, runs=runs), rejections=0, login_delay=0) == expected


@pytest.mark.parametrize(
    ("rejections", "expected"), [(0, 300.0), (1, 600.0), (2, 1200.0), (3, 2400.0), (4, 3600.0), (5000, 3600.0)]
)
def test_rejected_logins_double_the_interval_up_to_an_hour(rejections: int, expected: float) -> None:
    assert interval(client_settings(frequency=300.0), rejections=rejections, login_delay=0) == expected


@pytest.mark.parametrize("frequency", [LONGEST_BACKOFF, 24 * 3600.0])
def test_back_off_never_goes_below_freq(frequency: float) -> None:
    assert interval(client_settings(frequency=frequency), rejections=3, login_delay=0) == frequency


@pytest.mark.parametrize("runs", [0, 5])
def test_back_off_also_begins_where_freq_is_0(runs: int) -> None:
    client = client_settings(frequency=0.0, runs=runs)
    assert [interval(client, rejections=count, login_delay=0) for count in (1, 2, 3)] == [2.0, 4.0, 8.0]


@pytest.mark.parametrize(("delay", "expected"), [(0, 300.0), (299, 300.0), (900, 900.0)])
def test_the_servers_login_delay_is_a_floor(delay: int, expected: float) -> None:
    assert interval(client_settings(frequency=300.0), rejections=0, login_delay=delay) == expected


def test_login_delay_is_a_floor_under_back_off_too() -> None:
    assert interval(client_settings(frequency=0.0), rejections=2, login_delay=5000) == 5000.0


@settings(max_examples=100)
@given(st.floats(0, 10 * 24 * 3600), st.integers(0, 3), st.integers(0, 100), st.integers(0, 10**6))
def test_intervals_grow_with_rejections_and_keep_their_floors(
    frequency: float, runs: int, rejections: int, delay: int
) -> None:
    client = client_settings(frequency=frequency, runs=runs)
    waits = [interval(client, rejections=count, login_delay=delay) for count in (rejections, rejections + 1)]
    assert max(frequency, delay) <= waits[0] <= waits[1] <= max(frequency, delay, LONGEST_BACKOFF)


# --- the alarm --------------------------------------------------------------------------------------------------------


class MachineClock(FakeClock):
    """Boottime goes with trio's clock, and ahead of it by what the machine was suspended."""

    def __init__(self) -> None:
        super().__init__(boottime=5000.0)
        self.suspended = 0.0

    def boottime(self) -> float:
        return self.seconds + trio.current_time() + self.suspended


class Sleeper:
    """Waits for a due time and notes when it woke, in seconds of trio's clock."""

    def __init__(self, timer: BoottimeTimer, due: float) -> None:
        self._alarm = timer
        self._due = due
        self.woke: float | None = None

    async def __call__(self) -> None:
        await self._alarm.wait_until(self._due)
        self.woke = trio.current_time()


@trio_test
async def test_what_is_due_already_does_not_wait(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    await BoottimeTimer(clock).wait_until(clock.boottime())
    await BoottimeTimer(clock).wait_until(0.0)
    assert trio.current_time() == 0.0


@trio_test
async def test_it_wakes_at_the_due_time(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    timer = BoottimeTimer(clock)
    sleeper = Sleeper(timer, clock.boottime() + 100.0)
    await sleeper()
    assert sleeper.woke == pytest.approx(100.0)


@trio_test
async def test_after_a_suspend_who_is_overdue_wakes_at_the_next_tick(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    resumed: list[float] = []
    timer = BoottimeTimer(clock, lambda: resumed.append(trio.current_time()))
    overdue, later = Sleeper(timer, 5000.0 + 3600.0), Sleeper(timer, 5000.0 + 7200.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.run)
        nursery.start_soon(overdue)
        nursery.start_soon(later)
        await trio.sleep(20.0)
        clock.suspended = 4000.0  # trio's clock stood still meanwhile
        await trio.sleep(TICK)
        assert overdue.woke == pytest.approx(2 * TICK)
        assert resumed == [2 * TICK]
        assert later.woke is None
        await trio.sleep(7200.0)
        nursery.cancel_scope.cancel()
    # what is not due yet is due by the machine's clock, not by trio's
    assert later.woke == pytest.approx(7200.0 - 4000.0)
    assert resumed == [2 * TICK]


@trio_test
async def test_on_resume_is_called_before_overdue_waiters_wake(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    order: list[str] = []
    timer = BoottimeTimer(clock, lambda: order.append("resumed"))

    async def overdue() -> None:
        await timer.wait_until(clock.boottime() + 3600.0)
        order.append("overdue")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.run)
        for _ in range(20):
            nursery.start_soon(overdue)
        await trio.sleep(1.0)
        clock.suspended = 4000.0
        await trio.sleep(2 * TICK)
        nursery.cancel_scope.cancel()
    assert order == ["resumed"] + 20 * ["overdue"]


@trio_test
async def test_every_suspend_is_noticed(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    resumed: list[float] = []
    timer = BoottimeTimer(clock, lambda: resumed.append(trio.current_time()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.run)
        for _ in range(3):
            await trio.sleep(101.0)
            clock.suspended += 1000.0
        await trio.sleep(100.0)
        nursery.cancel_scope.cancel()
    assert resumed == [105.0, 210.0, 315.0]


@trio_test
async def test_a_moment_between_the_clocks_is_no_suspend(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    resumed: list[float] = []
    timer = BoottimeTimer(clock, lambda: resumed.append(trio.current_time()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.run)
        for _ in range(100):  # they may drift apart for ever
            await trio.sleep(TICK)
            clock.suspended += 0.5
        nursery.cancel_scope.cancel()
    assert resumed == []


@trio_test
async def test_the_wall_clock_jumping_changes_nothing(autojump_clock: MockClock) -> None:
    clock = MachineClock()
    resumed: list[float] = []
    timer = BoottimeTimer(clock, lambda: resumed.append(trio.current_time()))
    sleeper = Sleeper(timer, clock.boottime() + 100.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.run)
        nursery.start_soon(sleeper)
        for year in (2001, 2040, 1970):
            await trio.sleep(20.0)
            clock.set(wall=local(year, 1, 1))
        await trio.sleep(100.0)
        nursery.cancel_scope.cancel()
    assert sleeper.woke == pytest.approx(100.0)
    assert resumed == []
