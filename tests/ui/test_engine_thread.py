"""The engine in its thread: commands and answers, stop, cancel, and the reason of its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.program.process import client, mail
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import PATIENCE
from tui_popretr.bus import Bus
from tui_popretr.commands import PauseClient, PollClient
from tui_popretr.config.reader import load
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, JournalDamaged
from tui_popretr.facts import ClientsChanged, Fact, SessionClosed
from tui_popretr.ui.shell.engine_thread import EngineThread


class FactRecorder:
    """A subscriber that a test can wait for."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._changed = threading.Condition()

    def __call__(self, fact: Fact) -> None:
        with self._changed:
            self.facts.append(fact)
            self._changed.notify_all()

    def wait_for(self, kind: type[Fact]) -> Fact:
        with self._changed:
            assert self._changed.wait_for(lambda: any(isinstance(each, kind) for each in self.facts), PATIENCE)
            return next(each for each in self.facts if isinstance(each, kind))


def engine_of(folder: Path, address: str = "127.0.0.1:1") -> tuple[Engine, FactRecorder]:
    path = folder / "c.xml"
    before = "<pop3download><delay_start>5h</delay_start><clients>"
    path.write_text(f"{before}{client('isp', address)}</clients></pop3download>", encoding="utf-8")
    path.chmod(0o600)
    settings = load(str(path)).settings
    assert settings is not None
    facts = FactRecorder()
    engine = Engine(settings, Bus(), until_done=False)
    engine.subscribe(facts)
    return engine, facts


def maildrop(faults: Faults | None = None) -> ServedMaildrop:
    box = ServedMaildrop("me", PASSWORD, faults=faults)
    box.add(mail("one"))
    return box


def test_commands_are_answered_and_a_polled_client_runs(tmp_path: Path) -> None:
    with running_server([maildrop()]) as server:
        engine, facts = engine_of(tmp_path, server.address)
        with EngineThread(engine) as thread:
            facts.wait_for(ClientsChanged)
            assert thread.perform(PollClient("isp")).result(PATIENCE) == "isp runs now"
            done = facts.wait_for(SessionClosed)
        assert isinstance(done, SessionClosed)
        assert (done.result.code, done.result.messages) == (ExitCode.OK, 1)
        assert thread.problem is None


def test_a_command_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    engine, _ = engine_of(tmp_path)
    with EngineThread(engine) as thread, pytest.raises(ValueError, match="there is no client 'absent'"):
        thread.perform(PollClient("absent")).result(PATIENCE)


def test_a_command_after_the_end_is_refused_without_waiting(tmp_path: Path) -> None:
    engine, _ = engine_of(tmp_path)
    with EngineThread(engine) as thread:
        pass
    answer = thread.perform(PauseClient("isp"))
    assert answer.done()
    with pytest.raises(ValueError, match="has ended"):
        answer.result()


def in_mid_message(server: RunningServer, thread: EngineThread, facts: FactRecorder) -> None:
    facts.wait_for(ClientsChanged)
    thread.perform(PollClient("isp")).result(PATIENCE)
    server.wait_for_line(b"RETR")


def test_leaving_sends_quit(tmp_path: Path) -> None:
    with running_server([maildrop(Faults(delay=0.05))]) as server:
        engine, facts = engine_of(tmp_path, server.address)
        with EngineThread(engine) as thread:
            in_mid_message(server, thread, facts)
        assert server.said()[-1] == b"QUIT"


def test_cancel_does_not_wait_for_what_is_in_flight(tmp_path: Path) -> None:
    with running_server([maildrop(Faults(stall_within={1: 10}))]) as server:
        engine, facts = engine_of(tmp_path, server.address)
        with EngineThread(engine) as thread:
            in_mid_message(server, thread, facts)
            thread.cancel()
            assert thread.join(5.0)
        assert b"QUIT" not in server.said()
        assert thread.problem is None


def test_an_end_that_comes_before_the_beginning_is_remembered(tmp_path: Path) -> None:
    engine, facts = engine_of(tmp_path)
    thread = EngineThread(engine)
    thread.end()
    with thread:
        assert thread.join(PATIENCE)
    assert thread.problem is None
    assert not any(isinstance(fact, SessionClosed) for fact in facts.facts)


def test_why_it_ended_is_kept(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/popretr.sqlite").write_bytes(b"this is no database" * 100)
    engine, _ = engine_of(tmp_path)
    with EngineThread(engine) as thread:
        assert thread.join(PATIENCE)
    assert isinstance(thread.problem, JournalDamaged)
