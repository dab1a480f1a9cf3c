"""Sessions that are stopped or abandoned lose no message and deliver none twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.worlds import Watcher, World, mail
from tui_popretr.commands import Command, Shutdown, StopSession
from tui_popretr.commit.recovery import Recovery
from tui_popretr.config.model import ClientSettings
from tui_popretr.engine.service import LAST_DEADLINE, Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    DialogueLine,
    Direction,
    Fact,
    MaildropListed,
    MessageDelivered,
    SessionAdvanced,
    SessionStarted,
    Stage,
)
from tui_popretr.journal.records import Maildrop, MessageState
from tui_popretr.journal.thread import CLOSE_TIMEOUT
from tui_popretr.session.retrieval import DRAIN_TIMEOUT

MAX_COMMANDS = pytest.mark.parametrize("command", [Shutdown(), StopSession("a")], ids=["shutdown", "stop"])
EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def when(happened: Callable[[Fact], bool], command: Command) -> Watcher:
    """Give the command at the first fact for which `happened` holds."""
    given: list[Fact] = []

    def watch(engine: Engine, fact: Fact) -> None:
        if not given and happened(fact):
            given.append(fact)
            engine.perform(command)

    return watch


def said(text: str) -> Callable[[Fact], bool]:
    return lambda fact: isinstance(fact, DialogueLine) and fact.direction is Direction.OUT and fact.text == text


def at(stage: Stage) -> Callable[[Fact], bool]:
    return lambda fact: isinstance(fact, SessionAdvanced) and fact.stage is stage


@EACH_WAY
@MAX_COMMANDS
@trio_test
async def test_stop_drains_commits_deletes_and_sends_quit(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, command: Command, pipelining: bool
) -> None:
    monkeypatch.setattr("tui_popretr.session.window.WINDOW", 5 * len(mail(1)))
    world.become(pipelining=pipelining)
    world.faults.delay = 0.25
    world.add(*map(mail, range(1, 31)))
    result = await world.poll(watch=when(lambda fact: isinstance(fact, MessageDelivered), command))
    asked = [line for line in world.said() if line.startswith("RETR")]
    assert len(asked) < 12
    assert [f"RETR {number}" for number in range(1, len(asked) + 1)] == asked
    assert world.arrived() == [mail(number) for number in range(1, len(asked) + 1)]
    assert world.said()[-1] == "QUIT"
    assert len(world.remaining()) == 30 - len(asked)
    assert result.code is ExitCode.OK
    assert (result.messages, result.deleted) == (len(asked), len(asked))
    assert "stopped" in result.error
    assert (await world.poll()).ok
    assert world.arrived() == [mail(number) for number in range(1, 31)]


@MAX_COMMANDS
@trio_test
async def test_a_stalled_server_is_left_without_quit_and_made_up_for(
    world: World, autojump_clock: MockClock, command: Command
) -> None:
    world.timeout = 240.0
    world.add(mail(1), mail(2), mail(3))
    world.faults.stall_within["uid-3"] = 10
    result = await world.poll(watch=when(lambda fact: isinstance(fact, MessageDelivered), command))
    assert (result.ended - result.started).total_seconds() == pytest.approx(DRAIN_TIMEOUT, abs=0.1)
    assert result.code is ExitCode.OK
    assert "QUIT" not in world.verbs()
    assert (result.messages, result.deleted) == (2, 0)
    assert world.troubles() == {}, "told to end, nobody waited long enough to blame the message"
    world.faults.stall_within.clear()
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 1, 3)
    assert world.arrived() == [mail(1), mail(2), mail(3)]
    assert world.remaining() == []


@MAX_COMMANDS
@pytest.mark.parametrize("verb", ["GREETING", "PASS", "CAPA", "STAT", "UIDL", "LIST"])
@trio_test
async def test_before_anything_is_in_flight_it_just_leaves(
    world: World, autojump_clock: MockClock, verb: str, command: Command
) -> None:
    world.timeout = 240.0
    world.add(mail(1))
    world.faults.stall.add(verb)
    stage = {"GREETING": Stage.CONNECTING, "PASS": Stage.LOGIN, "CAPA": Stage.LOGIN}.get(verb, Stage.LISTING)
    result = await world.poll(watch=when(at(stage), command))
    assert (result.ended - result.started).total_seconds() < 1.5
    assert result.code is ExitCode.OK
    assert "stopped" in result.error
    assert "RETR" not in world.verbs()
    world.faults.stall.clear()
    assert (await world.poll()).messages == 1


@MAX_COMMANDS
@trio_test
async def test_told_to_end_before_it_has_connected(world: World, autojump_clock: MockClock, command: Command) -> None:
    """It comes while the journal is being asked; a server that then does not answer would hold it up."""
    world.timeout = 240.0
    world.faults.stall.add("GREETING")
    result = await world.poll(watch=when(lambda fact: isinstance(fact, SessionStarted), command))
    assert (result.ended - result.started).total_seconds() < 1.5
    assert world.server.connections <= 1
    assert (result.code, "stopped" in result.error) == (ExitCode.OK, True)


@pytest.mark.parametrize("happened", [lambda fact: isinstance(fact, MaildropListed), at(Stage.RETRIEVING)])
@trio_test
async def test_stopped_right_before_retrieving(
    world: World, autojump_clock: MockClock, happened: Callable[[Fact], bool]
) -> None:
    world.add(mail(1))
    result = await world.poll(watch=when(happened, StopSession("a")))
    assert result.code is ExitCode.OK
    assert "RETR" not in world.verbs()
    assert world.said()[-1] == "QUIT"


@trio_test
async def test_a_shutdown_does_not_wait_for_a_disk_that_hangs(world: World, autojump_clock: MockClock) -> None:
    """Nor for the journal's file on it, which gets a moment more to be closed."""
    world.add(*map(mail, range(1, 6)))
    told: list[float] = []

    def watch(engine: Engine, fact: Fact) -> None:
        if said("RETR 1")(fact):
            world.disk_seconds = 100.0
            told.append(trio.current_time())
            engine.perform(Shutdown())

    engine = await world.run(world.client(), watch=watch)
    assert trio.current_time() - told[0] < LAST_DEADLINE + CLOSE_TIMEOUT + 0.5
    assert engine.exit_code is ExitCode.OK
    assert "DELE" not in world.verbs()
    world.disk_seconds = 0.0
    assert (await world.poll()).ok
    assert sorted(world.arrived()) == [mail(number) for number in range(1, 6)]


@trio_test
async def test_told_to_end_while_messages_wait_for_room(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A received message for which the committer has no room is discarded, without waiting."""
    monkeypatch.setattr("tui_popretr.commit.queue.MEMORY", 3 * len(mail(1)))
    monkeypatch.setattr("tui_popretr.commit.committer.GROUP", 1)
    world.add(*map(mail, range(1, 11)))

    def watch(engine: Engine, fact: Fact) -> None:
        if said("RETR 1")(fact):
            world.disk_seconds = 5.0
            engine.perform(StopSession("a"))

    with trio.fail_after(1000):
        result = await world.poll(watch=watch)
    world.disk_seconds = 0.0
    assert 0 < result.messages < 10
    assert (await world.poll()).ok
    assert sorted(world.arrived()) == sorted(map(mail, range(1, 11)))
    assert world.remaining() == []


@trio_test
async def test_stop_during_quit(world: World, autojump_clock: MockClock) -> None:
    """Deletions may have happened or not; the wait for the reply is as short as any other."""
    world.timeout = 240.0
    world.add(mail(1))
    world.faults.stall.add("QUIT")
    result = await world.poll(watch=when(said("QUIT"), StopSession("a")))
    assert (result.ended - result.started).total_seconds() < 10
    world.faults.stall.clear()
    assert (await world.poll()).deleted == 1
    assert world.arrived() == [mail(1)]


# --- abandoned --------------------------------------------------------------------------------------------------------


def suspended_at(world: World, happened: Callable[[Fact], bool]) -> Watcher:
    """The machine sleeps for an hour when this happens."""
    slept: list[Fact] = []

    def watch(engine: Engine, fact: Fact) -> None:
        if not slept and happened(fact):
            slept.append(fact)
            world.clock.skip(3600.0)

    return watch


@trio_test
async def test_a_session_across_a_suspend_is_closed_and_made_up_for(world: World, autojump_clock: MockClock) -> None:
    world.timeout = 240.0
    world.add(mail(1), mail(2), mail(3))
    world.faults.stall_within["uid-3"] = 10
    start = trio.current_time()
    result = await world.poll(watch=suspended_at(world, lambda fact: isinstance(fact, MessageDelivered)))
    assert trio.current_time() - start < 20
    assert result.code is ExitCode.TEMPORARY
    assert "suspended" in result.error
    assert world.server.connections == 1
    assert "QUIT" not in world.verbs()
    assert world.troubles() == {}
    world.faults.stall_within.clear()
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 1, 3)
    assert world.arrived() == [mail(1), mail(2), mail(3)]


@pytest.mark.parametrize("verb", ["GREETING", "PASS", "STAT"])
@trio_test
async def test_a_suspend_before_anything_is_retrieved(world: World, autojump_clock: MockClock, verb: str) -> None:
    world.timeout = 240.0
    world.faults.stall.add(verb)
    start = trio.current_time()
    result = await world.poll(watch=suspended_at(world, at(Stage.CONNECTING)))
    assert trio.current_time() - start < 20
    assert (result.code, "suspended" in result.error) == (ExitCode.TEMPORARY, True)


@trio_test
async def test_a_suspend_during_quit(world: World, autojump_clock: MockClock) -> None:
    world.timeout = 240.0
    world.add(mail(1))
    world.faults.stall.add("QUIT")
    start = trio.current_time()
    result = await world.poll(watch=suspended_at(world, at(Stage.CLOSING)))
    assert trio.current_time() - start < 20
    assert (result.code, "suspended" in result.error, result.deleted) == (ExitCode.TEMPORARY, True, 0)


@trio_test
async def test_a_suspend_while_the_journal_is_being_asked(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_maildrop = Recovery.open_maildrop

    async def slow(recovery: Recovery, key: Maildrop) -> object:
        await trio.sleep(1)
        world.clock.skip(3600.0)
        await trio.sleep(30)
        return await open_maildrop(recovery, key)

    monkeypatch.setattr(Recovery, "open_maildrop", slow)
    world.add(mail(1))
    result = await world.poll()
    assert (result.code, "suspended" in result.error) == (ExitCode.TEMPORARY, True)
    assert world.verbs() == []


@trio_test
async def test_a_client_that_ends_disturbs_no_other(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))

    def client(name: str, **changes: Any) -> ClientSettings:
        return world.client(id=name, **changes)

    engine = await world.run(client("a"), client("b", runs=2), client("c"))
    assert set(engine.results) == {"a", "b", "c"}
    assert engine.exit_code is ExitCode.OK
    assert world.arrived() == [mail(1)]
    assert {record.state for record in world.records()} == {MessageState.DELETED}
