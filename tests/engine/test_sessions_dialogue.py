"""What is said in a session, and in which order (SPEC 3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.worlds import PASSWORD, RunClock, World, mail
from tui_popretr.config.model import TlsPolicy
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    CapabilitiesLearned,
    DialogueLine,
    Direction,
    Fact,
    LoginSucceeded,
    MaildropListed,
    MessageDelivered,
    MessagesDeleted,
    SessionAdvanced,
    SessionClosed,
    SessionConnected,
    SessionId,
    SessionStarted,
    Stage,
)
from tui_popretr.popserver import Mechanism
from tui_popretr.engine.service import Engine

ENTRY = ["USER alice", f"PASS {PASSWORD}", "CAPA", "STAT"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@trio_test
async def test_one_command_at_a_time_without_pipelining(world: World, autojump_clock: MockClock) -> None:
    world.become(pipelining=False)
    world.add(mail(1), mail(2))
    result = await world.poll()
    assert result.ok
    said = world.said()
    assert said[:6] == [*ENTRY, "UIDL", "LIST"]
    assert sorted(said[6:10]) == ["DELE 1", "DELE 2", "RETR 1", "RETR 2"]
    assert said[10:] == ["QUIT"]
    assert world.server.tally.pipelined == 0
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []


@trio_test
async def test_pipelining_where_the_server_has_it(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(20)))
    assert (await world.poll()).ok
    said = world.said()
    assert said[:6] == [*ENTRY, "UIDL", "LIST"]
    assert said[6:26] == [f"RETR {number}" for number in range(1, 21)]
    assert said[26:] == [*(f"DELE {number}" for number in range(1, 21)), "QUIT"]
    # LIST behind UIDL, 19 RETRs behind the first, and most of the DELEs
    assert world.server.tally.pipelined >= 1 + 19
    assert len(world.arrived()) == 20
