"""A client between its sessions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.passwords import PASSWORD
from tests.support.running import Fleet
from tui_popretr.commands import PauseClient, PollAll, PollClient, ResumeClient, StopSession
from tui_popretr.config.model import ClientSettings, Concurrency
from tui_popretr.engine.client import RETRY_AFTER_DEFECT
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientFinished,
    ClientPaused,
    ClientQueued,
    ClientScheduled,
    Level,
    Noted,
    SessionClosed,
    SessionStarted,
)
from tui_popretr.session.session import Session


def pauses(fleet: Fleet, client: str = "a") -> list[float]:
    """The seconds from the end of each session to the start of the next."""
    return [round(start - end, 3) for end, start in zip(fleet.ends(client), fleet.starts(client)[1:], strict=False)]


# --- on schedule ------------------------------------------------------------------------------------------------------


@trio_test
async def test_freq_counts_from_the_end_of_a_session(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, mails=2)
    fleet.faults().delay = 3.0
    async with fleet.running(client, delay_start=60.0):
        await trio.sleep(2000.0)
    assert fleet.starts()[0] == 60.0
    assert all(end - start > 10.0 for start, end in zip(fleet.starts()[:4], fleet.ends(), strict=False))
    assert len(pauses(fleet)) >= 4
    assert set(pauses(fleet)) == {300.0}
    # what is announced is what happens
    assert [fact.due - 1000.0 for fact in fleet.of(ClientScheduled)][: len(fleet.starts())] == pytest.approx(
        fleet.starts(), abs=0.001
    )


@trio_test
async def test_sessions_are_numbered(fleet: Fleet, autojump_clock: MockClock) -> None:
    await fleet.until_done(fleet.client(frequency=1.0, runs=3))
    assert [str(fact.session) for fact in fleet.of(SessionStarted)] == ["a-1", "a-2", "a-3"]


@pytest.mark.parametrize(("frequency", "expected"), [(0.0, [0.0, 0.0]), (60.0, [60.0, 60.0])])
@trio_test
async def test_runs(frequency: float, expected: list[float], fleet: Fleet, autojump_clock: MockClock) -> None:
    engine = await fleet.until_done(fleet.client(frequency=frequency, runs=3, mails=1))
    assert pauses(fleet) == expected
    assert [result.messages for result in fleet.results()] == [1, 0, 0]
    assert len(fleet.of(ClientFinished)) <= 1
    assert engine.exit_code is ExitCode.OK


@trio_test
async def test_a_failed_session_counts_as_a_run(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=60.0, runs=2)
    fleet.unreachable.add("a")
    engine = await fleet.until_done(client)
    assert [result.code for result in fleet.results()] == [ExitCode.UNAVAILABLE] * 2
    assert pauses(fleet) == [60.0]
    assert engine.exit_code is ExitCode.UNAVAILABLE


@trio_test
async def test_without_freq_sessions_keep_the_minimum_interval(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=0.0, runs=0)):
        await trio.sleep(10.5)
    assert 9 <= len(fleet.starts()) <= 11
    assert set(pauses(fleet)) == {1.0}


@trio_test
async def test_who_is_done_stays_and_does_not_disturb_the_others(fleet: Fleet, autojump_clock: MockClock) -> None:
    short, long = fleet.client("a", frequency=0.0, runs=1), fleet.client("b", frequency=100.0, runs=5)
    await fleet.until_done(short, long)
    assert len(fleet.starts("a")) == 1
    assert len(fleet.of(ClientFinished, "a")) == 1
    assert len(fleet.starts("b")) == 5


# --- rejected logins and the server's wishes --------------------------------------------------------------------------


@trio_test
async def test_rejected_logins_back_off_until_the_user_polls(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, password="another")
    async with fleet.running(client):
        await trio.sleep(300 + 600 + 1200 + 10)
        assert pauses(fleet) == [600.0, 1200.0]
        await fleet.perform(PollClient("a"))
        assert fleet.starts()[-1] == 2110.0
        await trio.sleep(1000.0)
        assert pauses(fleet)[-1] == 600.0
    assert {result.code for result in fleet.results()} == {ExitCode.LOGIN}


@trio_test
async def test_back_off_ends_with_a_login(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, password="another")
    async with fleet.running(client):
        await trio.sleep(100.0)
        fleet.drop().password = PASSWORD
        await trio.sleep(2000.0)
    assert pauses(fleet)[:3] == [600.0, 300.0, 300.0]


@trio_test
async def test_other_errors_neither_start_nor_end_a_backoff(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, password="another")
    async with fleet.running(client):
        await trio.sleep(100.0)
        fleet.unreachable.add("a")
        await trio.sleep(600.0)
        fleet.unreachable.clear()
        await trio.sleep(4000.0)
    codes = [result.code for result in fleet.results()]
    assert codes[:3] == [ExitCode.LOGIN, ExitCode.UNAVAILABLE, ExitCode.LOGIN]
    assert pauses(fleet)[:3] == [600.0, 600.0, 1200.0]


@trio_test
async def test_refusals_temporary_by_text_back_off_from_the_third(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        fleet.faults().answers["PASS"] = b"-ERR Your mailbox is already locked\r\n"
        await trio.sleep(2300.0)
        fleet.faults().answers.clear()
        await trio.sleep(3000.0)
    assert pauses(fleet)[:6] == [300.0, 300.0, 600.0, 1200.0, 300.0, 300.0]
    assert {result.code for result in fleet.results()} == {ExitCode.TEMPORARY, ExitCode.OK}


@trio_test
async def test_a_response_code_is_believed_for_ever(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        fleet.faults().answers["PASS"] = b"-ERR [IN-USE] Your mailbox is already locked\r\n"
        await trio.sleep(3000.0)
    assert set(pauses(fleet)) == {300.0}


@trio_test
async def test_login_delay_is_kept_when_the_server_is_unreachable(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    fleet.become(login_delay=900.0)
    async with fleet.running(client):
        await trio.sleep(100.0)
        fleet.unreachable.add("a")
        await trio.sleep(1000.0)
        fleet.unreachable.clear()
        await trio.sleep(3000.0)
    assert [result.code for result in fleet.results()][:3] == [ExitCode.OK, ExitCode.UNAVAILABLE, ExitCode.OK]
    assert set(pauses(fleet)) == {900.0}


# --- commands ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_polling_runs_now_and_the_schedule_goes_on_from_there(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        await trio.sleep(100.0)
        assert await fleet.perform(PollClient("a")) == "a runs now"
        await trio.sleep(400.0)
    assert fleet.starts() == [0.0, 100.0, 400.0]


@trio_test
async def test_polling_all(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client("a"), fleet.client("b"), delay_start=1000.0):
        await trio.sleep(1.0)
        await fleet.perform(PollAll())
        await trio.sleep(1.0)
    assert (fleet.starts("a"), fleet.starts("b")) == ([1.0], [1.0])


@trio_test
async def test_who_is_done_can_still_be_polled(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=0.0, runs=1)):
        await trio.sleep(10.0)
        assert len(fleet.of(ClientFinished)) == 1
        await fleet.perform(PollClient("a"))
        await trio.sleep(1000.0)
        assert len(fleet.of(ClientFinished)) == 2
    assert fleet.starts() == [0.0, 10.0]


@trio_test
async def test_who_is_paused_does_not_run_until_resumed(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        await trio.sleep(100.0)
        assert await fleet.perform(PauseClient("a")) == "a is paused"
        assert len(fleet.of(ClientPaused)) == 1
        await trio.sleep(1000.0)
        assert fleet.starts() == [0.0]
        assert await fleet.perform(ResumeClient("a")) == "a continues"
        await trio.sleep(100.0)  # what became due meanwhile ran at once
        assert fleet.starts() == [0.0, 1100.0]


@trio_test
async def test_who_is_resumed_in_time_keeps_its_countdown(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        await trio.sleep(100.0)
        await fleet.perform(PauseClient("a"))
        await trio.sleep(100.0)
        await fleet.perform(ResumeClient("a"))
        await trio.sleep(150.0)
    assert fleet.starts() == [0.0, 300.0]


@trio_test
async def test_who_is_paused_can_be_polled_and_stays_paused(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=300.0)):
        await trio.sleep(100.0)
        await fleet.perform(PauseClient("a"))
        await trio.sleep(100.0)
        await fleet.perform(PollClient("a"))
        await trio.sleep(1000.0)
        assert fleet.starts() == [0.0, 200.0]
        assert len(fleet.of(ClientPaused)) == 2


@trio_test
async def test_pausing_lets_a_running_session_finish(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, mails=3)
    fleet.faults().delay = 2.0
    async with fleet.running(client):
        await trio.sleep(5.0)
        await fleet.perform(PauseClient("a"))
        await trio.sleep(1000.0)
    assert len(fleet.starts()) == 1
    assert fleet.results()[0].messages == fleet.results()[0].deleted == 3


@trio_test
async def test_stop_session_keeps_the_schedule(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    fleet.faults().stall.add("STAT")
    async with fleet.running(client, timeout=60.0, delay_start=5.0):
        await trio.sleep(2.0)
        assert await fleet.perform(StopSession("a")) == "a has no session"
        await trio.sleep(5.0)
        assert await fleet.perform(StopSession("a")) == "the session of a ends"
        await trio.sleep(0.1)
        fleet.faults().stall.clear()
        assert len(fleet.ends()) == 1
        assert fleet.results()[0].code is ExitCode.OK
        assert fleet.results()[0].error
        assert await fleet.perform(StopSession("a")) == "a has no session"
        await trio.sleep(350.0)
    assert pauses(fleet) == [300.0]


@trio_test
async def test_commands_for_unknown_clients_are_refused(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client()) as engine:
        for command in (PollClient("x"), PauseClient("x"), ResumeClient("x"), StopSession("x")):
            with pytest.raises(ValueError, match="there is no client 'x'"):
                engine.perform(command)


# --- places -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_who_is_due_and_has_no_place_is_queued(fleet: Fleet, autojump_clock: MockClock) -> None:
    clients = [fleet.client(name, frequency=1000.0, mails=1) for name in "abc"]
    for name in "abc":
        fleet.faults(name).delay = 8.0
    async with fleet.running(*clients, concurrency=Concurrency(total=1)):
        await trio.sleep(400.0)
    spans = sorted((fleet.starts(name)[0], fleet.ends(name)[0]) for name in "abc")
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert len(fleet.of(ClientQueued)) == 2


@trio_test
async def test_who_is_queued_can_be_paused_and_resumed(fleet: Fleet, autojump_clock: MockClock) -> None:
    first, second = fleet.client("a", frequency=1000.0), fleet.client("b", frequency=1000.0)
    fleet.faults("a").delay = fleet.faults("b").delay = 10.0
    async with fleet.running(first, second, concurrency=Concurrency(total=1)):
        await trio.sleep(35.0)
        (queued,) = [fact.client for fact in fleet.of(ClientQueued)]
        await fleet.perform(PauseClient(queued))
        await trio.sleep(500.0)
        assert fleet.starts(queued) == []
        await fleet.perform(ResumeClient(queued))
        await trio.sleep(100.0)
        assert len(fleet.starts(queued)) == 1


# --- defects ----------------------------------------------------------------------------------------------------------


class DefectiveSession(Session):
    """A session that cannot even be made for the client b, as long as it is `broken`."""

    broken = True

    def __init__(self, client: ClientSettings, *arguments: Any) -> None:
        if client.id == "b" and self.broken:
            raise RuntimeError("a defect")
        super().__init__(client, *arguments)


@trio_test
async def test_a_defect_of_one_client_costs_the_others_nothing(
    fleet: Fleet, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_popretr.engine.client.Session", DefectiveSession)
    a, b = fleet.client("a", frequency=10.0, mails=1), fleet.client("b", frequency=10.0, mails=1)
    async with fleet.running(a, b, concurrency=Concurrency(total=1)):
        await trio.sleep(RETRY_AFTER_DEFECT - 1)
        assert len(fleet.ends("a")) == 6  # and the place was given back
        assert fleet.starts("b") == []
        (note,) = [note for note in fleet.of(Noted) if note.client == "b"]
        assert note.level is Level.ERROR
        assert "a defect" in note.text
        monkeypatch.setattr(DefectiveSession, "broken", False)
        await trio.sleep(20.0)
    assert fleet.results("a")[0].messages == fleet.results("b")[0].messages == 1


@trio_test
async def test_a_defect_before_the_session_does_not_spin_when_polled(
    fleet: Fleet, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet.running(fleet.client(frequency=1000.0)) as engine:
        await trio.sleep(10.0)
        defects = 0

        def request(server: object) -> None:
            nonlocal defects
            defects += 1
            assert defects < 100, "it spins"
            raise RuntimeError("a defect")

        monkeypatch.setattr(engine._services.slots, "request", request)
        await fleet.perform(PollClient("a"))
        await trio.sleep(2.5 * RETRY_AFTER_DEFECT)
        assert defects == 3


@trio_test
async def test_a_defect_inside_a_session_is_its_result(
    fleet: Fleet, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Session) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Session, "_run_connections", broken)
    engine = await fleet.until_done(fleet.client(frequency=0.0, runs=1))
    (result,) = fleet.results()
    assert result.code is ExitCode.SOFTWARE is engine.exit_code
    assert "a defect" in result.error
    assert result.advice


# --- suspend ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_after_a_suspend_overdue_clients_run_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    idle, open_one = fleet.client("a", frequency=600.0), fleet.client("b", frequency=600.0, mails=1)
    later = fleet.client("c", frequency=36_000.0)
    fleet.faults("b").stall.add("RETR")
    async with fleet.running(idle, open_one, later, timeout=3600.0):
        await trio.sleep(100.0)
        assert fleet.ends("b") == []
        fleet.clock.skip(7200.0)
        fleet.faults("b").stall.clear()
        await trio.sleep(30.0)
        # a: due twelve times meanwhile, and runs once
        assert len(fleet.starts("a")) == 2
        assert fleet.results("b")[0].code is ExitCode.TEMPORARY
        assert "suspended" in fleet.results("b")[0].error
        assert len(fleet.ends("a")) == 2  # and it was not taken for an open session
        assert fleet.results("a")[1].code is ExitCode.OK
        assert len(fleet.starts("c")) == 1
        await trio.sleep(650.0)
        assert fleet.results("b")[1].messages == 1


def sessions(engine: Engine) -> int:
    return sum(runner.session is not None for runner in engine._runners.values())


@trio_test
async def test_the_last_result_is_kept(fleet: Fleet, autojump_clock: MockClock) -> None:
    engine = await fleet.until_done(fleet.client(frequency=0.0, runs=2, mails=1))
    assert engine.results["a"] is fleet.of(SessionClosed)[-1].result
    assert sessions(engine) == 0
