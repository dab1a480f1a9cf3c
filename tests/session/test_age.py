"""deleteafter on clocks that are wrong: it counts steps that were seen to pass, and deletes nothing too early."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, trio_test

from tests.support.popserver import QuitFault
from tests.support.worlds import DAY, World, mail
from tui_popretr.journal.records import LONGEST_STEP, MaildropClock

SETTINGS: dict[str, Any] = {"preserve": True, "new_only": True, "delete_after": 14 * DAY}
TO_1970, AHEAD = timedelta(days=-20780), timedelta(days=3653)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.add(mail(1))
    return world


async def passes(world: World, days: int) -> int:
    """Let this number of days pass, with a session each day; return how many messages were deleted."""
    deleted = 0
    for _ in range(days):
        world.clock.skip(DAY)
        deleted += (await world.poll(**SETTINGS)).deleted
    return deleted


@pytest.mark.parametrize("wrong", [TO_1970, AHEAD], ids=["at 1970", "ten years ahead"])
@pytest.mark.parametrize("reboots", [False, True])
@trio_test
async def test_retrieved_while_the_clock_was_wrong(
    wrong: timedelta, reboots: bool, world: World, autojump_clock: MockClock
) -> None:
    world.clock.wrong = wrong
    assert (await world.poll(**SETTINGS)).messages == 1
    world.clock.wrong = timedelta()
    if reboots:
        world.clock.reboot()
    assert await passes(world, 13) == 0
    assert await passes(world, 3) == 1


@pytest.mark.parametrize("wrong", [TO_1970, AHEAD], ids=["at 1970", "ten years ahead"])
@trio_test
async def test_the_clock_goes_wrong_afterwards(wrong: timedelta, world: World, autojump_clock: MockClock) -> None:
    await world.poll(**SETTINGS)
    world.clock.wrong = wrong
    assert await passes(world, 13) == 0
    world.clock.wrong = timedelta()
    assert await passes(world, 1) == 1


@trio_test
async def test_a_clock_that_jumps_at_each_reboot(world: World, autojump_clock: MockClock) -> None:
    """A machine without a battery: each start begins at 1970, and the time server corrects it a session later."""
    await world.poll(**SETTINGS)
    deleted = 0
    for _ in range(6):
        world.clock.reboot()
        world.clock.wrong = TO_1970
        deleted += await passes(world, 1)
        world.clock.wrong = timedelta()
        deleted += await passes(world, 1)
    assert deleted == 0, "twelve days have passed"
    assert await passes(world, 10) == 1


@trio_test
async def test_a_session_that_was_cut_at_1970(world: World, autojump_clock: MockClock) -> None:
    """The message was retrieved under that clock, although the session did not come to its end."""
    await passes(world, 1)
    world.clock.skip(5 * DAY)
    world.clock.reboot()
    world.clock.wrong = TO_1970
    world.add(mail(2))
    world.faults.quit = QuitFault.CUT_BEFORE_UPDATE
    assert (await world.poll(**SETTINGS)).messages == 1
    world.faults.quit = QuitFault.NONE
    world.clock.reboot()
    world.clock.wrong = timedelta()
    await world.poll(**{**SETTINGS, "delete_after": 2 * DAY})
    assert "uid-2" in world.remaining()


@trio_test
async def test_one_long_pause_counts_for_a_week(world: World, autojump_clock: MockClock) -> None:
    await world.poll(**SETTINGS)
    world.clock.skip(365 * DAY)
    assert (await world.poll(**SETTINGS)).deleted == 0
    assert await passes(world, 6) == 0
    assert await passes(world, 1) == 1


NOW = 1.8e9  # epoch seconds


@pytest.mark.parametrize(
    ("before", "reading", "seconds"),
    [
        (MaildropClock(), ("a", 100.0, NOW), 0.0),  # the first session
        (MaildropClock(), ("", 100.0, NOW), 0.0),
        (MaildropClock(10.0, "a", 100.0, NOW), ("a", 160.0, NOW + 60), 70.0),
        (MaildropClock(10.0, "a", 100.0, NOW), ("a", 160.0, 0.0), 70.0),  # the wall clock was put back
        (MaildropClock(10.0, "a", 100.0, NOW), ("a", 160.0, 9e9), 70.0),
        (MaildropClock(10.0, "a", 100.0, NOW), ("a", 50.0, NOW + 60), 10.0),  # cannot be
        (MaildropClock(10.0, "a", 100.0, NOW), ("b", 1.0, NOW + 60), 70.0),  # another boot: the wall clock
        (MaildropClock(10.0, "a", 100.0, NOW), ("b", 1.0, NOW - 1000), 10.0),
        (MaildropClock(10.0, "a", 100.0, NOW), ("b", 1.0, 9e9), 10.0 + LONGEST_STEP),
        (MaildropClock(10.0, "a", 100.0, NOW), ("a", 9e9, NOW + 60), 10.0 + LONGEST_STEP),
        (MaildropClock(10.0, "", 100.0, NOW), ("", 160.0, NOW + 50), 60.0),  # no boot id: the wall clock
        # from or to a wall clock that was never set: what has surely passed since the boot
        (MaildropClock(10.0, "a", 100.0, 300.0), ("b", 40.0, NOW), 50.0),
        (MaildropClock(10.0, "a", 100.0, NOW), ("b", 40.0, 300.0), 50.0),
        (MaildropClock(10.0, "a", 100.0, 300.0), ("b", 40.0, 9000.0), 50.0),
        (MaildropClock(10.0, "a", 100.0, 300.0), ("", 40.0, NOW), 10.0),
        (MaildropClock(10.0, "", 100.0, 300.0), ("", 160.0, NOW), 10.0),
    ],
)
def test_a_step(before: MaildropClock, reading: tuple[str, float, float], seconds: float) -> None:
    after = before.advanced(*reading)
    assert after.seconds == seconds
    assert after[1:] == reading


READINGS = st.lists(
    st.tuples(st.sampled_from(["", "a", "b"]), st.floats(0, 1e12), st.floats(-1e12, 1e12)), min_size=1, max_size=6
)


@given(READINGS)
def test_it_never_goes_back_nor_too_fast(readings: list[tuple[str, float, float]]) -> None:
    clock = MaildropClock()
    for reading in readings:
        following = clock.advanced(*reading)
        assert 0 <= following.seconds - clock.seconds <= LONGEST_STEP + 1
        clock = following
