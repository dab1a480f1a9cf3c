"""Hooks beside the sessions of an engine, on a clock that jumps; each hook is a stand-in that takes a time."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.passwords import discreet
from tests.support.running import Fleet
from tui_popretr.commands import Reload, Shutdown
from tui_popretr.config.choices import HookEvent
from tui_popretr.config.model import HookSettings
from tui_popretr.control.daemon import EngineDaemon
from tui_popretr.engine.hooks import running, task
from tui_popretr.engine.hooks.rules import Occurrence
from tui_popretr.engine.hooks.running import HookEnd
from tui_popretr.engine.hooks.task import AT_ONCE, HooksTask
from tui_popretr.engine.service import Engine
from tui_popretr.facts import Noted
from tui_popretr.journal.journal import Journal

DAY = 86400.0


@dataclass
class StandIn:
    """In place of run_hook(): what ran, when, and how long each takes."""

    seconds: float = 0.0
    end: HookEnd = field(default=HookEnd("ended with exit code 0", ok=True))
    began: list[tuple[float, Occurrence, Any]] = field(default_factory=list)
    running: int = 0
    most: int = 0
    ended: int = 0

    async def __call__(self, hook: HookSettings, occurrence: Occurrence, status: Any, *_: object) -> HookEnd:
        discreet(*running.variables(occurrence).values(), running.standard_input(occurrence, status).decode())
        self.began.append((trio.current_time(), occurrence, status))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await trio.sleep(self.seconds)
            self.ended += 1
        finally:
            self.running -= 1
        return self.end

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(each.event.value, each.client) for _, each, _ in self.began]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(task, "run_hook", found)
    return found


def hooks(*events: str, **changes: Any) -> tuple[HookSettings, ...]:
    return tuple(HookSettings(HookEvent(event), ("/bin/tell",), **changes) for event in events)


def add_hooks(engine: Engine) -> None:
    daemon = EngineDaemon(engine)
    engine.companions += [daemon, HooksTask(engine, daemon.client)]


@trio_test
async def test_a_run_waits_for_its_hooks(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    stand_in.seconds = 25.0
    client = fleet.client(frequency=0.0, runs=1, mails=2)
    async with fleet.running(client, until_done=True, hooks=hooks("delivered")) as engine:
        add_hooks(engine)
        await fleet.wait_for(lambda: fleet.ended is not None)
    assert (stand_in.ended, stand_in.events) == (1, [("delivered", "a")])
    assert fleet.ended == pytest.approx(25.0, abs=2.0)
    ((_, occurrence, status),) = stand_in.began
    assert occurrence.messages == 2
    assert (status["id"], status["messages"], status["last"]["code"]) == ("a", 2, 0)


@trio_test
async def test_a_shutdown_does_not_wait(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    stand_in.seconds = 25.0
    client = fleet.client(frequency=0.0, runs=1, mails=2)
    async with fleet.running(client, until_done=True, hooks=hooks("delivered")) as engine:
        add_hooks(engine)
        await fleet.wait_for(lambda: stand_in.running == 1)
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None)
    assert fleet.ended is not None
    assert fleet.ended < 5.0
    assert (stand_in.ended, stand_in.running) == (0, 0)


@trio_test
async def test_four_at_once_and_no_session_waits(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    stand_in.seconds = 30.0
    clients = [fleet.client(f"c{number}", frequency=1000.0, mails=1) for number in range(10)]
    async with fleet.running(*clients, hooks=hooks("delivered")) as engine:
        add_hooks(engine)
        await trio.sleep(5.0)
        assert all(fleet.ends(f"c{number}") for number in range(10))
        assert stand_in.running == AT_ONCE
        await trio.sleep(100.0)
    assert (stand_in.most, stand_in.ended) == (4, 10)


@trio_test
async def test_too_many_are_dropped(
    fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "MOST_WAITING", 2)
    stand_in.seconds = 30.0
    clients = [fleet.client(f"c{number}", frequency=1000.0, mails=1) for number in range(10)]
    async with fleet.running(*clients, hooks=hooks("delivered")) as engine:
        add_hooks(engine)
        await trio.sleep(100.0)
    assert len(stand_in.began) == 6
    texts = [fact.text for fact in fleet.of(Noted) if "hooks wait" in fact.text]
    assert texts == ["more than 2 hooks wait; further ones do not run"]


@trio_test
async def test_times_are_remembered_between_runs(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=0.0, runs=1)
    seen: list[list[tuple[str, str]]] = []

    async def run_once() -> None:
        stand_in.began.clear()
        fleet.ended = None
        wanted = hooks("failed", after=2.0) + hooks("recovered", after=2.0)
        async with fleet.running(client, until_done=True, hooks=wanted) as engine:
            add_hooks(engine)
            await fleet.wait_for(lambda: fleet.ended is not None)
        seen.append(stand_in.events)

    fleet.unreachable.add("a")
    await run_once()
    await run_once()
    await run_once()
    await trio.sleep(DAY)
    await run_once()
    fleet.unreachable.clear()
    await run_once()
    await run_once()
    failed, recovered = [("failed", "a")], [("recovered", "a")]
    assert seen == [[], failed, [], failed, recovered, []]
    fleet.unreachable.add("a")
    await run_once()
    await run_once()
    assert seen[-2:] == [[], []]  # within a day of the last one
    with closing(fleet.journal()) as journal:
        assert len(journal.hook_times()) == 1


@trio_test
async def test_a_client_without_mail_between_sessions(
    fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock
) -> None:
    client = fleet.client(frequency=DAY, mails=1)
    async with fleet.running(client, hooks=hooks("stale", after=7200.0, every=7200.0)) as engine:
        add_hooks(engine)
        await trio.sleep(5 * 3600.0)
    assert [at for at, _, _ in stand_in.began] == pytest.approx([7200.0, 14400.0], abs=121.0)
    assert stand_in.began[0][1].text == "a: no mail for 2 hours"


@trio_test
async def test_a_reload_changes_the_hooks(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0)
    fleet.unreachable.add("a")
    async with fleet.running(client) as engine:
        add_hooks(engine)
        await trio.sleep(150.0)
        assert stand_in.events == []
        fleet.reloaded = fleet.settings(client, hooks=hooks("failed", every=0.0))
        await fleet.perform(Reload())
        await trio.sleep(100.0)
    assert stand_in.events == [("failed", "a")]
    assert stand_in.began[0][1].failures == 3


@trio_test
async def test_what_is_logged(fleet: Fleet, stand_in: StandIn, autojump_clock: MockClock) -> None:
    stand_in.end = HookEnd("ended with exit code 7", ok=False, lines=("no route",))
    client = fleet.client(frequency=0.0, runs=1, mails=1)
    async with fleet.running(client, until_done=True, hooks=hooks("delivered")) as engine:
        add_hooks(engine)
        await fleet.wait_for(lambda: fleet.ended is not None)
    lines = [(fact.level.value, fact.client, fact.text) for fact in fleet.of(Noted) if "hook" in fact.text]
    assert lines == [
        ("info", "a", "hook on delivered (tell): no route"),
        ("warning", "a", "hook on delivered (tell) ended with exit code 7"),
    ]


@trio_test
async def test_a_crash_loses_no_failure_in_the_count(
    fleet: Fleet, stand_in: StandIn, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The journal has a session at its end, and when its hooks ran: here it is read as after kill -9."""
    client = fleet.client(frequency=5000.0)
    fleet.unreachable.add("a")
    async with fleet.running(client, hooks=hooks("failed")) as engine:
        add_hooks(engine)
        await fleet.wait_for(lambda: stand_in.events != [])
        await trio.sleep(1.0)
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for path in fleet.folder.glob("popretr.sqlite*"):
            shutil.copy(path, crashed)
    with closing(Journal.open(str(crashed / "popretr.sqlite"))) as journal:
        assert [(row.client, row.failures) for row in journal.standings()] == [("a", 1)]
        assert [row.client for row in journal.hook_times()] == ["a"]
        assert len(journal.recent_sessions(10)) == 1
