"""Servers that list PIPELINING without supporting it: detected, worked around, remembered and retried."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.popserver import Faults, PipelineFault
from tests.support.running import Fleet
from tests.support.worlds import DAY, World, mail
from tui_popretr.commands import StopSession
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Fact, Level, MessageSkipped, Noted
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import PipeliningFailure
from tui_popretr.session.pipelining import RECONNECT_UNPIPELINED

#: What fits behind STAT, and not behind many RETRs.
LISTINGS = len(b"UIDL\r\nLIST\r\n")
#: What fits behind TOP 1 0 for six messages, and not behind DELE 1.
HEADERS = 5 * len(b"TOP 2 0\r\n")
EVENT = "event One command at a time: this server could not do PIPELINING"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def warnings(world: World) -> list[str]:
    return [note.text for note in world.of(Noted) if note.level is Level.WARNING]


def pipelining_failures(world: World) -> list[PipeliningFailure]:
    journal = Journal.open(str(world.folder / "popretr.sqlite"))
    try:
        return journal.pipelining_failures()
    finally:
        journal.close()


FAULTS = [fault for fault in PipelineFault if fault is not PipelineFault.NONE]


@pytest.mark.parametrize("fault", FAULTS)
@trio_test
async def test_it_goes_on_one_by_one_and_this_is_remembered(
    world: World, autojump_clock: MockClock, fault: PipelineFault
) -> None:
    world.faults.pipeline = fault
    world.add(*map(mail, range(5)))
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted, result.failed) == (True, 5, 5, 0)
    assert sorted(world.arrived()) == [mail(number) for number in range(5)]
    assert world.remaining() == []
    assert world.server.connections == 2
    assert world.troubles() == {}
    assert not any(skipped.failure for skipped in world.of(MessageSkipped))
    noticed, concluded = warnings(world)
    assert noticed.endswith(f"; {RECONNECT_UNPIPELINED}")
    assert concluded == (
        "pop.example.test:110 offers PIPELINING and cannot do it: it gets one command at a time, which is slower,"
        " and is tried again in 1 day"
    )
    (remembered,) = pipelining_failures(world)
    assert remembered[:2] == ("pop.example.test", 110)

    pipelined = world.server.pipelined
    world.add(*map(mail, range(5, 10)))
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 5, 5)
    assert result.started == result.ended
    assert world.server.connections == 3
    assert world.server.pipelined == pipelined
    assert warnings(world) == []
    assert EVENT in world.transcript()


@pytest.mark.parametrize("fault", [PipelineFault.FORGOTTEN, PipelineFault.CUT, PipelineFault.GARBAGE])
@trio_test
async def test_a_late_pipelining_failure_must_happen_twice(
    world: World, autojump_clock: MockClock, fault: PipelineFault
) -> None:
    """The first time it may have been the network: only this run goes on one by one. No message is blamed.

    All that is retrieved stays on the server: so nothing else is answered in the place of what was forgotten.
    """
    world.faults.pipeline, world.faults.pipeline_room = fault, LISTINGS
    for run, connections, told in ((1, 2, 1), (2, 4, 2), (3, 5, 0)):
        world.add(*(mail(f"{run} {number}") for number in range(5)))
        result = await world.poll(preserve=True, new_only=True)
        assert (result.ok, result.messages, result.failed) == (True, 5, 0)
        assert len(world.arrived()) == len(set(world.arrived())) == 5 * run
        assert world.server.connections == connections
        assert len(warnings(world)) == told
        assert world.troubles() == {}
    assert EVENT in world.transcript()


@trio_test
async def test_a_session_that_goes_well_in_between_makes_it_begin_anew(world: World, autojump_clock: MockClock) -> None:
    for _ in range(3):
        world.faults.pipeline, world.faults.pipeline_room = PipelineFault.CUT, LISTINGS
        world.add(*map(mail, range(5)))
        assert (await world.poll()).ok
        assert len(warnings(world)) == 1
        world.server.faults = Faults()
        assert (await world.poll()).ok
        assert pipelining_failures(world) == []


@trio_test
async def test_deletions_that_break_the_connection_are_made_up_for(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(6)))
    world.faults.answers["QUIT"] = b"-ERR not yet\r\n"
    assert not (await world.poll()).ok
    world.server.faults = Faults(pipeline=PipelineFault.CUT, pipeline_room=HEADERS)
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 0, 6)
    assert (
        warnings(world)[0] == f"the server closed the connection before its answer to DELE 1; {RECONNECT_UNPIPELINED}"
    )
    assert world.remaining() == []
    assert sorted(world.arrived()) == [mail(number) for number in range(6)]
    assert len(pipelining_failures(world)) == 1


@trio_test
async def test_pipelining_is_retried_after_1_and_30_days(world: World, autojump_clock: MockClock) -> None:
    world.faults.pipeline = PipelineFault.FORGOTTEN
    for days in (1, 30, 30):
        connections = world.server.connections
        assert (await world.poll()).ok
        assert world.server.connections == connections + 2
        assert warnings(world)[1].endswith(f"tried again in {days} day{'s' if days > 1 else ''}")
        world.clock.skip(days * DAY - 3600)
        assert (await world.poll()).ok
        assert world.server.connections == connections + 3
        world.clock.skip(3600)
    world.server.faults = Faults()
    assert (await world.poll()).ok
    assert EVENT not in world.transcript()
    assert pipelining_failures(world) == []


@trio_test
async def test_a_process_remembers_what_it_has_learnt(tmp_path: Path, autojump_clock: MockClock) -> None:
    """All clients of the server profit, and an account on another one has nothing to do with it."""
    fleet = Fleet(tmp_path)
    a, other = fleet.client("a", frequency=100.0, runs=3), fleet.client("other", runs=1)
    fleet.faults("a").pipeline = PipelineFault.FORGOTTEN
    await fleet.until_done(a, other, timeout=30.0)
    assert [end - start for start, end in zip(fleet.starts(), fleet.ends(), strict=True)] == [30.0, 0.0, 0.0]
    assert fleet.servers["a"].connections == 4
    assert fleet.servers["other"].connections == 1
    assert fleet.servers["other"].pipelined == 2


@pytest.mark.parametrize("fault", ["cut", "stall_within"])
@trio_test
async def test_a_break_within_a_message_is_not_blamed_on_pipelining(
    world: World, autojump_clock: MockClock, fault: str
) -> None:
    world.add(*map(mail, range(5)))
    getattr(world.faults, fault)["uid-3"] = 10
    assert not (await world.poll()).ok
    assert pipelining_failures(world) == []
    assert world.troubles()["uid-3"].failures == 1
    assert RECONNECT_UNPIPELINED not in "".join(warnings(world))
    assert EVENT not in world.transcript()
    assert world.server.pipelined > 6  # on the second connection, too


@trio_test
async def test_a_break_without_pipelining_too_is_not_blamed_on_it(world: World, autojump_clock: MockClock) -> None:
    world.faults.stall.add("UIDL")
    world.add(mail(1))
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert "no progress" in result.error
    assert world.server.connections == 2
    assert pipelining_failures(world) == []
    world.faults.stall.clear()
    assert (await world.poll()).ok
    assert EVENT not in world.transcript()


@trio_test
async def test_long_after_many_answers_it_is_no_matter_of_pipelining(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More were answered than are ever asked for at once."""
    monkeypatch.setattr("tui_popretr.session.retrieval.MAX_COMMANDS", 4)
    monkeypatch.setattr("tui_popretr.session.window.MAX_COMMANDS", 4)
    world.faults.answers["DELE"] = b"what?\r\n"
    world.add(*map(mail, range(6)))
    assert not (await world.poll()).ok
    assert "one command at a time" not in " ".join(each.text for each in world.of(Noted))
    assert all(key.startswith("dele ") for key in world.troubles())


@trio_test
async def test_no_message_is_blamed_for_it_on_the_second_connection(world: World, autojump_clock: MockClock) -> None:
    """The first was broken by a message; there is no third."""
    world.add(*map(mail, range(6)))
    world.faults.cut["uid-1"] = 10

    def watch(engine: Engine, fact: Fact) -> None:
        if isinstance(fact, Noted) and "to go on after it" in fact.text:
            world.faults.pipeline, world.faults.pipeline_room = PipelineFault.CUT, LISTINGS

    result = await world.poll(watch=watch)
    assert (result.ok, result.failed) == (False, 1)
    assert "before its answer to RETR 2" in result.error
    assert list(world.troubles()) == ["uid-1"]


@trio_test
async def test_told_to_stop_it_does_not_connect_once_more(world: World, autojump_clock: MockClock) -> None:
    world.faults.pipeline, world.faults.pipeline_room = PipelineFault.CUT, LISTINGS
    world.add(*map(mail, range(5)))

    def watch(engine: Engine, fact: Fact) -> None:
        if getattr(fact, "text", "") == "RETR 1":
            engine.perform(StopSession("a"))

    await world.poll(watch=watch)
    assert world.server.connections == 1
    assert pipelining_failures(world) == []
