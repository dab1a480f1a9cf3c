"""An end at any moment of a session: at any step that a task takes, and at any use of the disk, which then hangs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.shutdown.states import SecondCall
from tests.support.popserver import Faults
from tests.support.worlds import World, mail
from tui_popretr.commands import Shutdown, StopSession
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Fact, SessionStarted

#: One in STRIDE steps is tried: a session has some hundred.
STRIDE = 23
#: Seconds. If nothing hangs, process.signals never has to end the process. If the disk hangs, the work after the last
#: deadline is bounded: the next session would find it done, or does it.
LIMIT, HANGING_LIMIT = 9.5, 13.0
#: The second has to be written to its file before it has come whole.
MESSAGES = [mail(1), mail(2, b"x" * 200_000 + b"\r\n"), mail(3), mail(4), mail(5)]


class Ending(World):
    """A world that ends `after` a number of moments: its engine in order, only its session, or its engine at once."""

    limit = LIMIT

    def prepare(self, end: str, after: int, faults: Faults, *, pipelining: bool) -> None:
        self.become(pipelining=pipelining)
        self.server.faults = replace(faults, delay=0.01)
        self.add(*MESSAGES)
        self.ended = math.inf
        self._end = end
        self._left = after
        self._scope = trio.CancelScope()
        self._engine: Engine | None = None

    def passed(self) -> None:
        """A moment has passed."""
        if self._engine is not None and self.ended == math.inf:
            self._left -= 1
            if self._left < 0:
                self.ended = trio.current_time()
                self.end(self._engine)

    def end(self, engine: Engine) -> None:
        engine.perform(StopSession("a") if self._end == "stop" else Shutdown())
        if self._end == "at once":
            self._scope.cancel()

    def watch(self, engine: Engine, fact: Fact) -> None:
        if self._end != "stop" or isinstance(fact, SessionStarted):
            self._engine = engine

    async def session(self) -> bool:
        """Run a session; return whether its moment came."""
        with self._scope:
            engine = await self.run(self.client(), watch=self.watch)
            assert self.ended == math.inf or self._end == "stop" or engine.exit_code is ExitCode.OK
        self._engine = None
        assert self.ended == math.inf or trio.current_time() - self.ended < self.limit
        return self.ended < math.inf

    async def assert_all_comes_once(self) -> None:
        """Check that one more session without faults delivers the missing messages."""
        self.server.faults = Faults()
        result = await self.poll()
        assert result.ok, result.error
        assert sorted(self.arrived()) == sorted(MESSAGES)
        assert self.remaining() == []


class Steps(trio.abc.Instrument):
    """Each step that any task takes is a moment."""

    def __init__(self, world: Ending) -> None:
        self._world = world

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._world.passed()


class HangingDisk(Ending):
    """Each use of the disk is a moment. From the moment of the end on, the disk hangs."""

    limit = HANGING_LIMIT

    def disk(self) -> float:
        self.passed()
        return self.disk_seconds

    def end(self, engine: Engine) -> None:
        self.disk_seconds = 10_000.0
        super().end(engine)


CUT: dict[int | str, int] = {"uid-4": 10}


@pytest.mark.parametrize(
    ("end", "faults", "pipelining"),
    [
        ("shutdown", Faults(), True),
        ("shutdown", Faults(cut=CUT), False),
        ("stop", Faults(), False),
        ("stop", SecondCall(cut=CUT), True),
        ("at once", Faults(cut=CUT), True),
        ("at once", Faults(), False),
    ],
)
@trio_test
async def test_at_any_step(
    tmp_path: Path, autojump_clock: MockClock, end: str, faults: Faults, pipelining: bool
) -> None:
    """A session without faults, or one whose connection is cut, so that it makes another or tries to."""
    came, after = True, 0
    while came:
        (folder := tmp_path / str(after)).mkdir()
        world = Ending(folder)
        world.prepare(end, after, faults, pipelining=pipelining)
        trio.lowlevel.add_instrument(steps := Steps(world))
        came = await world.session()
        trio.lowlevel.remove_instrument(steps)
        if came and end != "at once" and not faults.cut and "RETR" in world.verbs():
            assert world.said()[-1] == "QUIT", after
        await world.assert_all_comes_once()
        after += STRIDE
    assert after > 10 * STRIDE


@pytest.mark.parametrize(("end", "pipelining"), [("shutdown", True), ("at once", False)])
@trio_test
async def test_at_any_use_of_the_disk(tmp_path: Path, autojump_clock: MockClock, end: str, pipelining: bool) -> None:
    refused = Faults(refuse={"uid-4"})  # which is to be noted in the journal
    came, after = True, 0
    while came:
        (folder := tmp_path / str(after)).mkdir()
        world = HangingDisk(folder)
        world.prepare(end, after, refused, pipelining=pipelining)
        came = await world.session()
        world.disk_seconds = 0.0
        await world.assert_all_comes_once()
        after += 1
    assert after > 10
