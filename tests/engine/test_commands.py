"""A command is answered when it is accepted, and says what happens."""

from __future__ import annotations

import trio
from trio.testing import MockClock, trio_test

from tests.support.running import Fleet
from tui_popretr.commands import (
    PauseAll,
    PauseClient,
    PollAll,
    PollClient,
    ResumeAll,
    StopAll,
    StopSession,
)
from tui_popretr.errors import ExitCode
from tui_popretr.facts import ClientPaused, SessionStarted


@trio_test
async def test_polling_a_running_client(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=1000.0)
    fleet.faults("a").delay = 5.0
    async with fleet.running(client):
        await trio.sleep(1.0)
        assert await fleet.perform(PollClient("a")) == "a is running"
        assert await fleet.perform(PollAll()) == "all clients run now"
        await trio.sleep(500.0)
        assert len(fleet.of(SessionStarted)) == 1


@trio_test
async def test_a_paused_client_runs_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=100.0)):
        await trio.sleep(10.0)
        assert await fleet.perform(PauseClient("a")) == "a is paused"
        assert await fleet.perform(PollClient("a")) == "a runs now"
        await trio.sleep(1000.0)
        assert len(fleet.of(SessionStarted)) == 2
        assert len(fleet.of(ClientPaused)) == 2
        assert await fleet.perform(StopSession("a")) == "a has no session"


@trio_test
async def test_polling_ends_a_back_off(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0, password="another")
    async with fleet.running(client):
        await trio.sleep(1500.0)
        doubled = len(fleet.of(SessionStarted))
        assert doubled == 4  # after 0, 200, 600 and 1400 seconds
        assert fleet.results("a")[-1].code is ExitCode.LOGIN
        assert await fleet.perform(PollClient("a")) == "a runs now"
        await trio.sleep(250.0)
        assert len(fleet.of(SessionStarted)) == doubled + 2  # at once, and after twice 100 seconds


@trio_test
async def test_commands_for_all(fleet: Fleet, autojump_clock: MockClock) -> None:
    clients = [fleet.client(name, frequency=100.0) for name in "ab"]
    fleet.faults("b").delay = 20.0
    async with fleet.running(*clients):
        await trio.sleep(10.0)
        assert await fleet.perform(StopAll()) == "1 session stopped"
        assert await fleet.perform(PauseAll()) == "all clients are paused"
        await trio.sleep(1000.0)
        assert len(fleet.of(SessionStarted)) == 2
        assert await fleet.perform(ResumeAll()) == "all clients continue"
        await trio.sleep(1.0)
        assert len(fleet.of(SessionStarted)) == 4
