"""The engine as a whole: reload, exit codes and shutdown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock
from tests.support.making import client_settings
from tests.support.passwords import PASSWORD
from tests.support.running import Fleet
from tests.support.worlds import disk_without_threads
from tui_popretr.bus import Bus
from tui_popretr.commands import PauseClient, PollAll, PollClient, Reload, Shutdown, StopSession
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.model import Concurrency, LogSettings, Retention, Settings
from tui_popretr.engine import service
from tui_popretr.engine.client import ClientRunner
from tui_popretr.engine.service import LAST_DEADLINE, Engine, connect_tcp
from tui_popretr.errors import ConfigurationError, ExitCode, JournalLocked, PopretrError, ServerUnreachable
from tui_popretr.facts import (
    ClientFinished,
    ClientQueued,
    ClientsChanged,
    ConfigurationRejected,
    ConfigurationReloaded,
    MessageDelivered,
    Noted,
    SessionClosed,
    SessionStarted,
    Stage,
    StandingsRead,
)
from tui_popretr.journal.journal import Journal

# --- the end by itself ------------------------------------------------------------------------------------------------


@trio_test
async def test_it_ends_when_all_clients_have_done_their_runs(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=10.0, runs=2, mails=1), fleet.client("b", frequency=100.0, runs=3, mails=2)
    engine = await fleet.until_done(a, b)
    assert fleet.ended == pytest.approx(200.0, abs=5)
    assert (len(fleet.ends("a")), len(fleet.ends("b"))) == (2, 3)
    assert engine.exit_code is ExitCode.OK


@trio_test
async def test_without_clients_it_ends_at_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    engine = await fleet.until_done()
    assert fleet.ended == pytest.approx(0.0, abs=1.0)
    assert engine.exit_code is ExitCode.OK


@trio_test
async def test_with_until_done_off_it_stays(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(frequency=0.0, runs=1), until_done=False):
        await trio.sleep(1000.0)
        assert fleet.ended is None


@pytest.mark.parametrize(
    ("troubles", "code"),
    [
        ({}, ExitCode.OK),
        ({"a": "unreachable"}, ExitCode.UNAVAILABLE),
        ({"a": "unreachable", "b": "password"}, ExitCode.LOGIN),
        ({"b": "stalls", "c": "unreachable"}, ExitCode.UNAVAILABLE),
        ({"b": "stalls"}, ExitCode.TEMPORARY),
    ],
)
@trio_test
async def test_the_exit_code_is_the_worst_clients(
    troubles: dict[str, str], code: ExitCode, fleet: Fleet, autojump_clock: MockClock
) -> None:
    clients = [
        fleet.client(name, frequency=0.0, runs=1, password="x" if troubles.get(name) == "password" else PASSWORD)
        for name in "abc"
    ]
    fleet.unreachable = {name for name, trouble in troubles.items() if trouble == "unreachable"}
    for name, trouble in troubles.items():
        if trouble == "stalls":
            fleet.faults(name).stall.add("STAT")
    engine = await fleet.until_done(*clients)
    assert engine.exit_code is code


@trio_test
async def test_the_last_session_of_a_client_counts(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0, runs=2)
    fleet.unreachable.add("a")
    async with fleet.running(client, until_done=True) as engine:
        await trio.sleep(50.0)
        codes = [engine.exit_code]
        fleet.unreachable.clear()
        await fleet.wait_for(lambda: fleet.ended is not None)
    assert [*codes, engine.exit_code] == [ExitCode.UNAVAILABLE, ExitCode.OK]


@trio_test
async def test_after_a_shutdown_that_was_asked_for_all_is_well(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0)
    fleet.unreachable.add("a")
    async with fleet.running(client) as engine:
        await trio.sleep(10.0)
    assert engine.exit_code is ExitCode.OK


@trio_test
async def test_a_journal_in_use_ends_it_before_anything_is_retrieved(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=1)
    with closing(fleet.journal()):
        engine = Engine(fleet.settings(client), Bus(), clock=FakeClock())
        with disk_without_threads(lambda: 0.0), pytest.raises(JournalLocked):
            await engine.run()
    fleet.journal().close()


@trio_test
async def test_a_shutdown_before_it_runs_is_not_forgotten(fleet: Fleet, autojump_clock: MockClock) -> None:
    engine = Engine(fleet.settings(fleet.client()), Bus(), clock=FakeClock())
    assert engine.perform(Shutdown()) == "ending"
    with disk_without_threads(lambda: 0.0), trio.fail_after(1.0):
        await engine.run()


@trio_test
async def test_a_silent_server_delays_no_other_session(fleet: Fleet, autojump_clock: MockClock) -> None:
    clients = [fleet.client(f"c{number}", frequency=0.0, runs=1, mails=1) for number in range(20)]
    silent = fleet.client("silent", frequency=0.0, runs=1)
    fleet.silent.add("silent")
    for number in range(20):
        fleet.faults(f"c{number}").delay = 1.0
    async with fleet.running(*clients, silent, until_done=True, timeout=240.0):
        await trio.sleep(60.0)
        assert len(fleet.of(MessageDelivered)) == 20
        open_at_once = [len(fleet.of(SessionStarted)) - len(fleet.of(SessionClosed))]
        assert open_at_once == [1]
        await fleet.wait_for(lambda: fleet.ended is not None)
    assert fleet.results("silent")[0].code is ExitCode.UNAVAILABLE
    first_end = min(fleet.ends(f"c{number}")[0] for number in range(20))
    assert all(fleet.starts(f"c{number}")[0] < first_end for number in range(20))


# --- history ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_past_sessions_are_in_the_journal(fleet: Fleet, autojump_clock: MockClock) -> None:
    await fleet.until_done(fleet.client(frequency=100.0, runs=2, mails=3))
    with closing(fleet.journal()) as journal:
        first, last = journal.recent_sessions(2)
    assert (first.messages, last.messages) == (3, 0)
    assert first.code is ExitCode.OK
    assert first.octets > 0
    assert last.start - first.end == 100


@trio_test
async def test_they_are_there_soon_also_while_it_runs(fleet: Fleet, autojump_clock: MockClock) -> None:
    written: list[float] = []
    recorded = Journal.record_sessions

    def record(journal: Journal, rows: Any) -> None:
        written.append(trio.current_time())
        recorded(journal, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "record_sessions", record)
        async with fleet.running(fleet.client(frequency=10.0)):
            await trio.sleep(35.0)
    assert written == pytest.approx(fleet.ends(), abs=0.1)


# --- standings --------------------------------------------------------------------------------------------------------


@trio_test
async def test_standings_are_over_all_processes(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0, runs=2, mails=1)
    fleet.unreachable.add("a")
    await fleet.until_done(client)
    fleet.facts.clear()
    fleet.ended = None
    async with fleet.running(client, until_done=True):
        await fleet.wait_for(lambda: bool(fleet.of(SessionClosed)))
        fleet.unreachable.clear()
        await fleet.wait_for(lambda: fleet.ended is not None)
    kinds = [type(fact) for _, fact in fleet.facts]
    assert kinds.index(ClientsChanged) < kinds.index(StandingsRead) < kinds.index(SessionStarted)
    ((read,),) = [fact.standings for fact in fleet.of(StandingsRead)]
    assert (read.client, read.failures_in_a_row, read.last_success, read.last_message) == ("a", 2, None, None)
    with closing(fleet.journal()) as journal:
        (row,) = journal.standings()
    ended = int(fleet.results()[-1].ended.timestamp())
    assert (row.failures, row.success, row.kept) == (0, ended, 0)
    assert row.message == ended
    assert row.since is not None
    assert row.since < ended


@trio_test
async def test_standings_share_the_transaction_of_the_history(fleet: Fleet, autojump_clock: MockClock) -> None:
    commits: list[float] = []
    recorded = Journal.record_sessions

    def record(journal: Journal, rows: Any) -> None:
        assert journal._in_transaction
        commits.append(trio.current_time())
        recorded(journal, rows)

    standings = Journal.record_standings

    def record_standings(journal: Journal, rows: Any) -> None:
        assert journal._in_transaction
        assert commits[-1] == trio.current_time()
        levels.add(journal._connection.execute("PRAGMA synchronous").fetchone()[0])
        standings(journal, rows)
        written.append(rows)

    levels: set[int] = set()
    written: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "record_sessions", record)
        patch.setattr(Journal, "record_standings", record_standings)
        async with fleet.running(*[fleet.client(f"c{number}", frequency=1000.0) for number in range(100)]):
            await trio.sleep(100.0)
            written.clear()
            commits.clear()
            await fleet.perform(PollAll())
            await trio.sleep(100.0)
    assert sum(map(len, written)) == 100
    assert len(written) == len(commits) < 25  # a fleet shares them
    assert 1 in levels  # and without a fsync, unless a message needs it


@trio_test
async def test_a_stopped_session_is_no_success(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=100.0)
    fleet.unreachable.add("a")
    async with fleet.running(client):
        await trio.sleep(150.0)
        fleet.unreachable.clear()
        fleet.faults("a").stall.add("STAT")
        await fleet.wait_for(lambda: len(fleet.starts()) == 3)
        await trio.sleep(1.0)
        await fleet.perform(StopSession("a"))
        await fleet.wait_for(lambda: len(fleet.ends()) == 3)
    assert fleet.results()[-1].stopped
    with closing(fleet.journal()) as journal:
        (row,) = journal.standings()
    assert (row.failures, row.success) == (2, None)


# --- reload -----------------------------------------------------------------------------------------------------------


async def reload(fleet: Fleet, settings: Settings | Exception) -> None:
    fleet.reloaded = settings
    assert await fleet.perform(Reload()) == "the configuration is read again"
    await trio.sleep(0.5)


@trio_test
async def test_unchanged_clients_keep_their_countdown(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", frequency=300.0)
    async with fleet.running(a, b):
        await trio.sleep(100.0)
        await reload(fleet, fleet.settings(replace(a), replace(b, frequency=200.0)))
        assert fleet.of(ConfigurationReloaded) == [ConfigurationReloaded((), (), ("b",))]
        await trio.sleep(250.0)
    assert fleet.starts("a") == [0.0, 300.0]
    # changed: due at once, and then with the new freq
    assert fleet.starts("b") == [0.0, 100.0, 300.0]


@trio_test
async def test_clients_come_and_go(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b, c = (fleet.client(name, frequency=300.0, mails=1) for name in "abc")
    async with fleet.running(a, b):
        await trio.sleep(100.0)
        await reload(fleet, fleet.settings(c, a))
        assert fleet.of(ConfigurationReloaded) == [ConfigurationReloaded(("c",), ("b",), ())]
        assert fleet.of(ClientsChanged)[-1].clients == ("c", "a")
        with pytest.raises(ValueError, match="there is no client 'b'"):
            fleet.engine.perform(PollClient("b"))
        await fleet.perform(PollClient("c"))
        await trio.sleep(1000.0)
    assert len(fleet.starts("b")) == 1
    assert fleet.starts("c")[0] == 100.0
    assert fleet.results("c")[0].messages == 1
    assert len(fleet.starts("a")) == 4


@trio_test
async def test_a_client_may_come_back(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", frequency=300.0)
    async with fleet.running(a, b):
        await trio.sleep(10.0)
        await reload(fleet, fleet.settings(a))
        await trio.sleep(10.0)
        await reload(fleet, fleet.settings(a, b))
        await trio.sleep(300.0)
    assert [round(start) for start in fleet.starts("b")] == [0, 20, 320]


@trio_test
async def test_a_running_session_keeps_its_settings_at_a_reload(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=86400.0, mails=3)
    fleet.faults().delay = 3.0
    async with fleet.running(client):
        await trio.sleep(5.0)
        await reload(
            fleet, fleet.settings(replace(client, retention=Retention(preserve=True), frequency=60.0), timeout=7.0)
        )
        await trio.sleep(200.0)
        first = fleet.results()[0]
        assert (first.messages, first.deleted) == (3, 3)
        # the new settings are due at once, and do not wait for the old freq
        assert fleet.starts()[1] == pytest.approx(fleet.ends()[0], abs=0.1)
        assert fleet.starts()[2] == pytest.approx(fleet.ends()[1] + 60.0, abs=0.1)


@trio_test
async def test_a_session_with_old_settings_does_not_count(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0, password="another")
    fleet.faults().delay = 3.0
    async with fleet.running(client):
        await trio.sleep(5.0)
        await reload(fleet, fleet.settings(replace(client, frequency=60.0, runs=2)))
        fleet.drop().password = "another"
        await trio.sleep(2.0)
        await fleet.wait_for(lambda: len(fleet.ends()) == 2)
        fleet.drop().password = PASSWORD
        await trio.sleep(1000.0)
    assert [result.code for result in fleet.results()] == [ExitCode.LOGIN, ExitCode.LOGIN, ExitCode.OK]
    assert round(fleet.starts()[1] - fleet.ends()[0]) == 0
    assert round(fleet.starts()[2] - fleet.ends()[1]) == 120
    assert len(fleet.of(ClientFinished)) == 1


@trio_test
async def test_the_session_of_a_removed_client_finishes_in_peace(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", frequency=300.0, mails=3)
    fleet.faults("b").delay = 3.0
    async with fleet.running(a, b):
        await trio.sleep(5.0)
        await reload(fleet, fleet.settings(a))
        await trio.sleep(1000.0)
    (result,) = fleet.results("b")
    assert (result.messages, result.deleted) == (3, 3)


@trio_test
async def test_the_session_of_a_removed_client_is_part_of_a_shutdown(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", frequency=300.0, mails=3)
    fleet.faults("b").stall.add("STAT")
    async with fleet.running(a, b):
        await trio.sleep(5.0)
        await reload(fleet, fleet.settings(a))
        await reload(fleet, fleet.settings(replace(a, frequency=200.0)))
        started = trio.current_time()
    assert fleet.ended is not None
    assert fleet.ended - started < 2.0
    assert len(fleet.results("b")) == 1


@trio_test
async def test_a_paused_client_stays_paused_with_its_new_settings(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    async with fleet.running(client):
        await trio.sleep(10.0)
        await fleet.perform(PauseClient("a"))
        await reload(fleet, fleet.settings(replace(client, frequency=10.0)))
        await trio.sleep(1000.0)
    assert fleet.starts() == [0.0]


@trio_test
async def test_a_queued_client_takes_its_new_settings(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", frequency=300.0, mails=1)
    fleet.faults("a").delay = fleet.faults("b").delay = 20.0
    async with fleet.running(a, b, concurrency=Concurrency(total=1)):
        await trio.sleep(35.0)
        assert len(fleet.of(ClientQueued)) == 1
        await reload(
            fleet, fleet.settings(a, replace(b, retention=Retention(preserve=True)), concurrency=Concurrency(total=2))
        )
        assert len(fleet.starts("b")) == 1
        await trio.sleep(250.0)
    assert fleet.results("b")[0].messages == 1
    assert fleet.results("b")[0].deleted == 0


@trio_test
async def test_limits_and_timeout_are_taken_over_for_all(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=100.0), fleet.client("b", frequency=100.0)
    async with fleet.running(a, b, timeout=30.0):
        await trio.sleep(10.0)
        await reload(fleet, fleet.settings(a, b, timeout=7.0, concurrency=Concurrency(total=1)))
        fleet.faults("a").stall.add("CAPA")
        fleet.faults("b").stall.add("CAPA")
        await trio.sleep(150.0)
    seconds = [end - start for name in "ab" for start, end in [(fleet.starts(name)[1], fleet.ends(name)[1])]]
    assert seconds == pytest.approx([7.0, 7.0], abs=0.1)
    (first, second) = sorted((fleet.starts(name)[1], fleet.ends(name)[1]) for name in "ab")
    assert first[1] <= second[0]


@trio_test
async def test_a_finished_client_that_is_changed_runs_again(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=10.0, runs=1)
    async with fleet.running(client):
        await trio.sleep(100.0)
        await reload(fleet, fleet.settings(replace(client, runs=2)))
        await trio.sleep(100.0)
    assert [round(start) for start in fleet.starts()] == [0, 100, 110]


@trio_test
async def test_a_reload_that_leaves_only_finished_clients_ends_it(fleet: Fleet, autojump_clock: MockClock) -> None:
    done, endless = fleet.client("a", frequency=0.0, runs=1), fleet.client("b", frequency=100.0)
    async with fleet.running(done, endless, until_done=True):
        await trio.sleep(50.0)
        assert fleet.ended is None
        await reload(fleet, fleet.settings(done))
        await trio.sleep(10.0)
        assert fleet.ended is not None


@pytest.mark.parametrize(
    ("problem", "problems"),
    [
        (ConfigurationError("conf.xml:3:4: error: one\nconf.xml:5:6: error: two"), 2),
        (OSError(5, "Input/output error"), 1),
        (RuntimeError("a defect"), 1),
    ],
)
@trio_test
async def test_a_configuration_with_problems_changes_nothing(
    problem: Exception, problems: int, fleet: Fleet, autojump_clock: MockClock
) -> None:
    client = fleet.client(frequency=300.0)
    async with fleet.running(client) as engine:
        await trio.sleep(100.0)
        settings = engine.settings
        await reload(fleet, problem)
        (rejected,) = fleet.of(ConfigurationRejected)
        assert len(rejected.problems) == problems
        assert str(problem).splitlines()[0] in rejected.problems[0]
        assert fleet.of(ConfigurationReloaded) == []
        assert engine.settings is settings
        await trio.sleep(300.0)
        await reload(fleet, fleet.settings(client))  # and the next one is not in its way
        assert len(fleet.of(ConfigurationReloaded)) == 1
    assert fleet.starts() == [0.0, 300.0]


@trio_test
async def test_a_reload_reopens_logs_and_reloads_certificates(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    old, new = (LogSettings(str(fleet.folder / name), flush=0.0) for name in ("old.log", "new.log"))
    async with fleet.running(client, transcript=old):
        contexts = fleet.engine.connections.contexts
        context = contexts.trust_for(TlsPolicy())
        await trio.sleep(100.0)
        await reload(fleet, fleet.settings(client, transcript=new))
        await fleet.perform(PollClient("a"))
        await trio.sleep(100.0)
    assert sessions_in(old) == {"a-1"}
    assert sessions_in(new) == {"a-2"}
    assert contexts.trust_for(TlsPolicy()) is not context


def sessions_in(transcript: LogSettings) -> set[str]:
    lines = Path(transcript.path).read_text().splitlines()
    return {line.partition(" ")[0] for line in lines if not line.startswith("#")}


@trio_test
async def test_the_journal_stays_where_it_is(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    async with fleet.running(client):
        await trio.sleep(10.0)
        await reload(fleet, fleet.settings(client, journal=str(fleet.folder / "other.sqlite")))
        assert any("until the program is started again" in note.text for note in fleet.of(Noted))
        await trio.sleep(400.0)
    assert len(fleet.starts()) == 2
    assert [path.name for path in fleet.folder.glob("*.sqlite")] == ["popretr.sqlite"]


@trio_test
async def test_where_nothing_can_be_reloaded_it_is_said(fleet: Fleet, autojump_clock: MockClock) -> None:
    async with fleet.running(fleet.client(), reload=False) as engine:
        await trio.sleep(1.0)
        with pytest.raises(ValueError, match="reloading is not possible now"):
            engine.perform(Reload())
    early = Engine(fleet.settings(), Bus(), clock=fleet.clock, reloader=fleet.settings)
    with pytest.raises(ValueError, match="try again"):
        early.perform(Reload())


@trio_test
async def test_at_the_end_nothing_is_reloaded(fleet: Fleet, autojump_clock: MockClock) -> None:
    refused: list[str] = []

    async def finish() -> None:  # the nursery of the clients is closed
        with pytest.raises(ValueError, match="the program is ending") as error:
            engine.perform(Reload())
        refused.append(str(error.value))

    async with fleet.running(fleet.client()) as engine:
        await trio.sleep(1.0)
        engine.finishers.append(finish)
        engine.stopping.set()
    assert len(refused) == 1


@trio_test
async def test_a_new_control_socket_is_for_the_next_start(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client()
    async with fleet.running(client):
        await trio.sleep(1.0)
        await reload(fleet, replace(fleet.settings(client), control_socket="/new/control.sock"))
    assert any("the control socket stays" in note.text for note in fleet.of(Noted))


@trio_test
async def test_what_is_asked_for_during_a_reload_is_one_more(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    async with fleet.running(client) as engine:
        await trio.sleep(1.0)
        fleet.reloaded = fleet.settings(client)
        for _ in range(5):
            engine.perform(Reload())
        await trio.sleep(1.0)
    # the file may have changed after it was read; more than once more it need not be read
    assert len(fleet.of(ConfigurationReloaded)) == 2


@trio_test
async def test_a_reload_to_no_client_waits_for_the_next(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(frequency=300.0)
    async with fleet.running(client, until_done=True) as engine:
        await trio.sleep(1.0)
        fleet.reloaded = fleet.settings()
        engine.perform(Reload())
        await trio.sleep(10.0)
        assert fleet.ended is None


@trio_test
async def test_a_reload_that_comes_too_late_begins_nothing(fleet: Fleet, autojump_clock: MockClock) -> None:
    a, b = fleet.client("a", frequency=300.0), fleet.client("b", mails=1)
    async with fleet.running(a) as engine:
        await trio.sleep(10.0)
        fleet.disk = 1.0
        fleet.reloaded = fleet.settings(a, b)
        engine.perform(Reload())
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=LAST_DEADLINE)
    assert fleet.starts("b") == []
    assert fleet.of(ConfigurationReloaded) == []


# --- the end by command -----------------------------------------------------------------------------------------------


def stalled_in(verb: str) -> Callable[[Fleet], None]:
    return lambda fleet: fleet.faults().stall.add(verb)


def stalled_within_a_message(fleet: Fleet) -> None:
    fleet.faults().stall_within[2] = 40


def slow(fleet: Fleet) -> None:
    fleet.faults().rate = 30.0


def silent(fleet: Fleet) -> None:
    fleet.silent.add("a")


#: What the server does, the stage this holds the session in, and how long the end may take.
STALLS = [
    (silent, Stage.CONNECTING, 0.5),
    (stalled_in("GREETING"), Stage.CONNECTING, 0.5),
    (stalled_in("USER"), Stage.LOGIN, 0.5),
    (stalled_in("PASS"), Stage.LOGIN, 0.5),
    (stalled_in("STAT"), Stage.LISTING, 0.5),
    (stalled_in("UIDL"), Stage.LISTING, 0.5),
    (stalled_in("RETR"), Stage.RETRIEVING, 8.5),
    (stalled_within_a_message, Stage.RETRIEVING, 8.5),
    (stalled_in("DELE"), Stage.RETRIEVING, 8.5),
    (slow, Stage.RETRIEVING, 8.5),
    (stalled_in("QUIT"), Stage.CLOSING, LAST_DEADLINE),
]


@pytest.mark.parametrize(("stall", "stage", "limit"), STALLS)
@trio_test
async def test_it_ends_in_time_whatever_the_server_does(
    stall: Callable[[Fleet], None], stage: Stage, limit: float, fleet: Fleet, autojump_clock: MockClock
) -> None:
    client = fleet.client(mails=3)
    well = fleet.client("b", frequency=300.0, mails=2)
    stall(fleet)
    async with fleet.running(client, well, timeout=240.0) as engine:
        await trio.sleep(20.0)
        assert fleet.stage() is stage
        started = trio.current_time()
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=10.0)
    assert fleet.ended is not None
    assert fleet.ended - started <= limit + 0.5
    assert engine.exit_code is ExitCode.OK
    assert fleet.results("b")[0].messages == fleet.results("b")[0].deleted == 2
    # what was delivered is delivered once, and all of it is there in the end
    fleet.repair()
    fleet.ended = None
    await fleet.until_done(replace(client, frequency=0.0, runs=1))
    assert fleet.arrived() == ["a0", "a1", "a2"]
    assert fleet.drop().messages == []


@trio_test
async def test_a_handshake_that_hangs_is_left_at_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(server=client_settings().server)
    async with fleet.running(replace(client, server=replace(client.server, tls=TlsPolicy()))) as engine:
        await trio.sleep(20.0)
        assert fleet.stage() is Stage.CONNECTING
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=0.5)


@trio_test
async def test_a_shutdown_takes_what_is_in_flight_along_and_says_quit(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=50)
    fleet.become(pipelining=False)
    fleet.faults().delay = 0.5
    async with fleet.running(client) as engine:
        await trio.sleep(20.0)
        assert fleet.stage() is Stage.RETRIEVING
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=10.0)
    (result,) = fleet.results()
    assert 0 < result.messages < 50
    assert result.deleted == result.messages
    assert fleet.said()[-1] == "QUIT"
    assert len(fleet.arrived()) == result.messages
    assert len(fleet.drop().messages) == 50 - result.messages


@trio_test
async def test_a_disk_that_is_slow_when_it_is_to_end(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=3)
    fleet.faults().delay = 1.0
    async with fleet.running(client) as engine:
        await fleet.wait_for(lambda: "RETR" in fleet.said())
        fleet.disk = 60.0  # each of the committer's steps
        await trio.sleep(5.0)
        started = trio.current_time()
        engine.perform(Shutdown())
        fleet.disk_recovers_after(LAST_DEADLINE)
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=120.0)
    assert fleet.ended is not None
    assert fleet.ended - started <= 10.0
    assert fleet.of(MessageDelivered) == []
    assert fleet.drop().deleted == []
    fleet.disk, fleet.ended = 0.0, None
    await fleet.until_done(replace(client, frequency=0.0, runs=1))
    assert fleet.arrived() == ["a0", "a1", "a2"]


@trio_test
async def test_a_second_stop_and_a_second_shutdown_change_nothing(fleet: Fleet, autojump_clock: MockClock) -> None:
    client = fleet.client(mails=3)
    fleet.faults().stall.add("RETR")
    async with fleet.running(client) as engine:
        await trio.sleep(5.0)
        started = trio.current_time()
        engine.perform(StopSession("a"))
        await trio.sleep(4.0)
        engine.perform(Shutdown())
        await trio.sleep(2.0)
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=10.0)
    assert fleet.ended is not None
    assert fleet.ended - started <= 8.5


@trio_test
async def test_who_is_queued_paused_or_waiting_is_gone_at_once(fleet: Fleet, autojump_clock: MockClock) -> None:
    clients = [fleet.client(name, frequency=1000.0) for name in "abc"]
    async with fleet.running(*clients) as engine:
        await trio.sleep(50.0)
        await fleet.perform(PauseClient("b"))
        engine.perform(Shutdown())
        await fleet.wait_for(lambda: fleet.ended is not None, timeout=0.5)


@trio_test
async def test_a_defect_of_the_engine_itself_is_not_hidden(
    fleet: Fleet, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(runner: ClientRunner) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(ClientRunner, "run", broken)
    engine = Engine(fleet.settings(fleet.client()), Bus(), clock=FakeClock())
    with disk_without_threads(lambda: 0.0), pytest.raises(BaseExceptionGroup):
        await engine.run()
    fleet.journal().close()  # and the journal is closed all the same


@trio_test
async def test_the_ordinary_connector_goes_to_the_servers_port(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, float]] = []

    async def connect(host: str, port: int, *, timeout: float, shown: str) -> None:
        asked.append((host, port, timeout))
        raise ServerUnreachable(f"no {shown}")

    monkeypatch.setattr(service, "connect", connect)
    with pytest.raises(PopretrError):
        await connect_tcp(client_settings().server, 30.0)
    assert asked == [("a.example.test", 110, 30.0)]
