"""Every way to end the dashboard, in a real process on a real terminal: QUIT sent, terminal sane, exit code right."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import client, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tests.ui.terminal import OnTerminal, on_terminal

BEFORE = "<delay_start>0</delay_start>"
#: With pipelining all messages would be in flight, and a graceful stop waits for those.
ONE_BY_ONE = ServerPolicy(pipelining=False)


def maildrop(messages: int, faults: Faults | None = None) -> ServedMaildrop:
    box = ServedMaildrop("me", PASSWORD, faults=faults)
    for number in range(messages):
        box.add(mail(f"me{number}"))
    return box


@contextmanager
def in_mid_session(
    folder: Path, *, controlling: bool = True, patch: str = ""
) -> Iterator[tuple[OnTerminal, RunningServer]]:
    """A dashboard with a session that takes a long time."""
    with running_server([maildrop(500)], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(folder / "c.xml", client("isp", server.address), before=BEFORE)
        with on_terminal(path, controlling=controlling, patch=patch) as terminal:
            server.wait_for_line(b"RETR", count=3)
            terminal.wait_for("retrieving")
            yield terminal, server


def at_rest(folder: Path) -> str:
    """A configuration whose client runs much later."""
    return write_configuration(folder / "c.xml", client("isp", "127.0.0.1:1"), before="<delay_start>5h</delay_start>")


def in_order(folder: Path, server: RunningServer) -> bool:
    """Whether the session said QUIT last, having delivered some of the messages."""
    return server.said()[-1] == b"QUIT" and 0 < len(os.listdir(folder / "var/mail/isp/new")) < 500


def test_q_ends_at_once_where_no_session_runs(tmp_path: Path) -> None:
    with on_terminal(at_rest(tmp_path)) as terminal:
        terminal.wait_for("waiting")
        terminal.press("q")
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert terminal.afterwards.strip() == ""


def test_q_asks_while_a_session_runs_and_waits_for_it(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (terminal, server):
        terminal.press("q")
        terminal.wait_for("A session runs: isp")
        terminal.press("y")
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert "stopping: waiting for 1 session" in terminal.afterwards
        assert in_order(tmp_path, server)


@contextmanager
def while_loading(folder: Path) -> Iterator[tuple[OnTerminal, RunningServer, Path]]:
    """A dashboard that is not loaded before a file is there."""
    held = folder / "go on"
    patch = "import os, time, tui_popretr.ui.shell.run as run\nload = run._load\ndef late(*others, **more):\n"
    patch += f"    while not os.path.exists({str(held)!r}): time.sleep(0.01)\n"
    patch += "    return load(*others, **more)\nrun._load = late"
    with running_server([maildrop(500)], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(folder / "c.xml", client("isp", server.address), before=BEFORE)
        with on_terminal(path, patch=patch) as terminal:
            server.wait_for_line(b"RETR", count=3)
            yield terminal, server, held


def test_sessions_run_while_the_dashboard_is_still_loaded(tmp_path: Path) -> None:
    with while_loading(tmp_path) as (terminal, server, held):
        assert terminal.drawn == b""
        held.touch()
        terminal.wait_for("retrieving")
        terminal.send(signal.SIGTERM)
        assert terminal.ended(within=10) == 0
        assert in_order(tmp_path, server)


def test_a_signal_while_the_dashboard_loads_stops_gracefully(tmp_path: Path) -> None:
    with while_loading(tmp_path) as (terminal, server, held):
        terminal.send(signal.SIGTERM)
        server.wait_for_line(b"QUIT")
        held.touch()
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert b"\x1b[?1049h" not in terminal.drawn, "a screen was shown"
        assert in_order(tmp_path, server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with in_mid_session(tmp_path) as (terminal, server):
        terminal.send(number)
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert in_order(tmp_path, server)


def test_a_second_signal_ends_at_once_but_not_a_second_sighup(tmp_path: Path) -> None:
    with running_server([maildrop(1, Faults(stall_within={1: 10}))]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address), before=BEFORE)
        with on_terminal(path) as terminal:
            server.wait_for_line(b"RETR")
            terminal.wait_for("retrieving")
            terminal.send(signal.SIGHUP)
            terminal.wait_for("stopping: waiting for 1 session")
            # the system sends one when a terminal goes, and the shell another
            terminal.send(signal.SIGHUP)
            terminal.send(signal.SIGTERM)
            # what is in flight would be waited for for 8 seconds
            assert terminal.ended(within=5) == 128 + signal.SIGTERM
            assert terminal.insane() == []


@pytest.mark.parametrize("controlling", [True, False], ids=["with SIGHUP", "without a signal"])
def test_a_lost_terminal_ends_in_good_order(tmp_path: Path, controlling: bool) -> None:
    with in_mid_session(tmp_path, controlling=controlling) as (terminal, server):
        terminal.hang_up()
        assert terminal.ended(within=10) == 0
        assert in_order(tmp_path, server)


def test_a_terminal_lost_before_the_first_screen_exits_with_0(tmp_path: Path) -> None:
    held = (
        "import select, tui_popretr.ui.shell.terminal as terminal\nstart = terminal.Terminal.start_application_mode\n"
    )
    held += "def until_lost(self):\n    start(self)\n    lost = select.poll()\n    lost.register(self.fileno, 0)\n"
    held += "    while not lost.poll(10): self.write(' ')\nterminal.Terminal.start_application_mode = until_lost"
    with running_server([maildrop(500)], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address), before=BEFORE)
        with on_terminal(path, patch=held, controlling=False) as terminal:
            server.wait_for_line(b"RETR", count=3)
            terminal.wait_until(lambda drawn: b"\x1b[?1049h" in drawn)
            terminal.hang_up()
            assert terminal.ended(within=10) == 0
            assert in_order(tmp_path, server)


def test_a_stalled_terminal_does_not_keep_a_signal_from_ending(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (terminal, server):
        terminal.stall()
        terminal.send(signal.SIGTERM)
        assert terminal.ended(within=10) == 0
        assert in_order(tmp_path, server)


def test_stopping_and_continuing_leaves_the_terminal_sane(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (terminal, server):
        terminal.send(signal.SIGSTOP)
        terminal.send(signal.SIGCONT)
        # the screen is left and entered again, and then drawn whole
        terminal.wait_until(lambda drawn: b"retrieving" in drawn.rpartition(b"\x1b[?1049h")[2] and b"?1049l" in drawn)
        terminal.send(signal.SIGTERM)
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []
        assert in_order(tmp_path, server)


def test_a_crash_of_the_dashboard_is_told_when_all_has_ended(tmp_path: Path) -> None:
    crash = "import tui_popretr.ui.shell.app as app\ndef crash(self): raise ZeroDivisionError('of the test')\n"
    crash += "app.Dashboard.tick = crash"
    with running_server([maildrop(500)], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address), before=BEFORE)
        with on_terminal(path, patch=crash) as terminal:
            assert terminal.ended(within=15) == 70
            assert terminal.insane() == []
            assert "ZeroDivisionError: of the test" in terminal.afterwards
            assert "internal error" in terminal.afterwards
            assert "please report this" in terminal.afterwards
        assert server.said()[-1] == b"QUIT"


def test_a_crash_of_the_engine_is_told_when_the_screen_is_left(tmp_path: Path) -> None:
    crash = "import tui_popretr.engine.service as service\nimport trio\n"
    crash += "async def crash(self, keeper):\n    await trio.sleep(0.5)\n    raise ZeroDivisionError('of the test')\n"
    crash += "service.History.write = crash"
    with on_terminal(at_rest(tmp_path), patch=crash) as terminal:
        assert terminal.ended(within=15) == 70
        assert terminal.insane() == []
        assert "ZeroDivisionError: of the test" in terminal.afterwards


def test_a_damaged_journal_is_told_in_a_sentence_74(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/popretr.sqlite").write_bytes(b"this is no database" * 100)
    with on_terminal(at_rest(tmp_path)) as terminal:
        assert terminal.ended(within=10) == 74
        assert terminal.insane() == []
        assert "tui-popretr: the journal" in terminal.afterwards
        assert "Traceback" not in terminal.text


def test_a_journal_in_use_is_told_with_advice_75(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    with open(tmp_path / "var/popretr.sqlite.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with on_terminal(at_rest(tmp_path)) as terminal:
            assert terminal.ended(within=10) == 75
            assert terminal.insane() == []
            assert "stop it first" in terminal.afterwards


def test_a_terminal_that_cannot_draw_is_refused_64(tmp_path: Path) -> None:
    with on_terminal(at_rest(tmp_path), term="dumb") as terminal:
        assert terminal.ended(within=10) == 64
        terminal.insane()
        assert "--headless" in terminal.text


def test_without_a_terminal_it_names_headless_64(tmp_path: Path) -> None:
    done = run_program(at_rest(tmp_path))
    assert done.code == 64
    assert "the dashboard needs a terminal" in done.err
    assert "--headless" in done.err
