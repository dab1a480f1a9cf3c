"""ctrl+z: the shell gets the terminal as it was, retrieval goes on, and fg brings the dashboard back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import client, write_configuration
from tests.support.popserver import Faults
from tests.support.popserver_thread import RunningServer, running_server
from tests.ui.shell import Shell, in_shell
from tests.ui.terminal import on_terminal
from tests.ui.test_ends import BEFORE, ONE_BY_ONE, at_rest, in_order, maildrop

SENTENCE = "retrieval goes on; `fg` brings the dashboard back"
STOPPED = f"stopped {signal.SIGTSTP.value}"


@contextmanager
def in_mid_session(folder: Path) -> Iterator[tuple[Shell, RunningServer]]:
    """A dashboard with a session that takes a long time."""
    with running_server([maildrop(500)], policy=ONE_BY_ONE, faults=Faults(delay=0.02)) as server:
        path = write_configuration(folder / "c.xml", client("isp", server.address), before=BEFORE)
        with in_shell(path) as shell:
            server.wait_for_line(b"RETR", count=3)
            shell.terminal.wait_for("retrieving")
            yield shell, server


def key(shell: Shell) -> None:
    shell.terminal.press("\x1a")


def from_outside(shell: Shell) -> None:
    shell.send(signal.SIGTSTP)


def stop(shell: Shell, way: Callable[[Shell], None] = key) -> None:
    """Suspend the dashboard, and see that the terminal is as it was."""
    way(shell)
    assert shell.says() == STOPPED
    assert shell.terminal.insane() == []
    assert SENTENCE in shell.terminal.afterwards


def wait_for_screen(shell: Shell, number: int, text: bytes = b"History") -> None:
    """Wait until the screen was entered that often, and then drawn whole, with a text that does not change."""
    shell.terminal.wait_until(
        lambda drawn: drawn.count(b"\x1b[?1049h") == number and text in drawn.rpartition(b"\x1b[?1049h")[2]
    )


def worker(shell: Shell) -> int:
    """Return the process that draws."""
    return int(Path(f"/proc/{shell.job}/task/{shell.job}/children").read_text())


def goes_on(server: RunningServer) -> None:
    """Wait until many more messages were asked for."""
    server.wait_for_line(b"RETR", count=sum(line.startswith(b"RETR") for line in server.said()) + 10)


@pytest.mark.parametrize("way", [key, from_outside])
def test_the_shell_has_the_terminal_and_retrieval_goes_on(tmp_path: Path, way: Callable[[Shell], None]) -> None:
    with in_mid_session(tmp_path) as (shell, server):
        for number in (2, 3):
            stop(shell, way)
            goes_on(server)
            shell.ask("fg")
            wait_for_screen(shell, number)
        shell.send(signal.SIGTERM)
        assert shell.says() == "exited 0"
        assert in_order(tmp_path, server)
        assert shell.terminal.insane() == []


def test_in_the_background_it_waits_for_the_terminal(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (shell, server):
        stop(shell)
        shell.ask("bg")
        goes_on(server)
        assert shell.terminal.insane() == []
        shell.ask("fg again")
        wait_for_screen(shell, 2)
        shell.terminal.press("q")
        shell.terminal.wait_for("A session runs: isp")
        shell.terminal.press("y")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


def test_the_size_is_that_of_now_when_it_is_back(tmp_path: Path) -> None:
    with in_shell(at_rest(tmp_path)) as shell:
        shell.terminal.wait_for("waiting")
        stop(shell)
        shell.terminal.resize(60, 18)
        shell.ask("fg")
        wait_for_screen(shell, 2, b"\x1b[18;1H")
        shell.terminal.wait_until(lambda drawn: b"\x1b[19;1H" not in drawn.rpartition(b"\x1b[1;1H")[2])
        shell.terminal.press("q")
        assert shell.says() == "exited 0"


def test_kill_ends_a_suspended_job_in_good_order(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (shell, server):
        stop(shell)
        shell.send_job(signal.SIGTERM)
        shell.ask("bg")
        shell.ask("fg again")
        assert shell.says() == "exited 0"
        assert in_order(tmp_path, server)
        assert shell.terminal.insane() == []


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (shell, _):
        shell.send(signal.SIGTERM)
        shell.terminal.wait_for("stopping: waiting for 1 session")
        shell.send(signal.SIGTERM)
        assert shell.says() in ("exited 143", "exited 0")
        assert shell.terminal.insane() == []


def test_a_terminal_lost_while_suspended_ends_in_good_order(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (shell, server):
        stop(shell)
        shell.terminal.hang_up()
        server.wait_for_line(b"QUIT")
        assert in_order(tmp_path, server)


def test_a_killed_keeper_ends_the_sessions_in_good_order(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (shell, server):
        shell.send(signal.SIGKILL)
        assert shell.says() == "exited -9"
        server.wait_for_line(b"QUIT")
        assert in_order(tmp_path, server)


def test_a_killed_dashboard_leaves_a_sane_terminal(tmp_path: Path) -> None:
    with in_shell(at_rest(tmp_path)) as shell:
        shell.terminal.wait_for("waiting")
        os.kill(worker(shell), signal.SIGKILL)
        assert shell.says() == "exited 137"
        assert shell.terminal.insane() == []


def test_sigstop_leaves_a_sane_terminal_and_fg_comes_back(tmp_path: Path) -> None:
    with in_shell(at_rest(tmp_path)) as shell:
        shell.terminal.wait_for("waiting")
        os.kill(worker(shell), signal.SIGSTOP)
        assert shell.says() == STOPPED
        assert shell.terminal.insane() == []
        shell.ask("fg")
        wait_for_screen(shell, 2)
        shell.terminal.press("q")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


@pytest.mark.parametrize("way", [from_outside, lambda shell: shell.send(signal.SIGSTOP)], ids=["TSTP", "STOP"])
def test_a_job_in_the_background_stops_again(tmp_path: Path, way: Callable[[Shell], None]) -> None:
    with in_shell(at_rest(tmp_path)) as shell:
        shell.terminal.wait_for("waiting")
        stop(shell)
        shell.ask("bg and wait")
        assert shell.says() == "running"
        way(shell)
        assert shell.says().startswith("stopped")
        shell.ask("fg")
        wait_for_screen(shell, 2)
        shell.terminal.press("q")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


def test_two_signals_to_the_worker_stop_the_job_once(tmp_path: Path) -> None:
    twice = """
from tui_popretr.ui.shell.terminal import Terminal
suspend = Terminal._suspend
Terminal._suspend = lambda self: (suspend(self), __import__("time").sleep(0.1), suspend(self))
"""
    with in_shell(at_rest(tmp_path), patch=twice) as shell:
        shell.terminal.wait_for("waiting")
        for number in (2, 3):
            stop(shell)
            shell.ask("fg")
            wait_for_screen(shell, number)
        shell.terminal.press("q")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


def test_a_job_stopped_by_sigstop_comes_back(tmp_path: Path) -> None:
    with in_shell(at_rest(tmp_path)) as shell:
        shell.terminal.wait_for("waiting")
        shell.send(signal.SIGSTOP)
        assert shell.says() == f"stopped {signal.SIGSTOP.value}"
        shell.ask("fg")
        wait_for_screen(shell, 2)
        shell.terminal.press("q")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


def test_a_dashboard_that_ends_at_fg_restores_the_terminal(tmp_path: Path) -> None:
    back_at_the_end = """
import os, time
from tui_popretr.ui.shell.terminal import Terminal
suspend, close = Terminal._suspend, Terminal.close
def exit_and_suspend(self):
    self._app.exit(0)
    suspend(self)
def close_and_go_on(self):
    close(self)
    if self._suspended:
        while os.tcgetpgrp(0) != os.getpgrp():
            time.sleep(0.01)
        self._go_on()
Terminal._suspend, Terminal.close = exit_and_suspend, close_and_go_on
"""
    with in_shell(at_rest(tmp_path), patch=back_at_the_end) as shell:
        shell.terminal.wait_for("waiting")
        stop(shell)
        shell.ask("fg")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []


def test_an_exit_code_passes(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/popretr.sqlite").write_bytes(b"this is no database" * 100)
    with in_shell(at_rest(tmp_path)) as shell:
        assert shell.says() == "exited 74"
        assert shell.terminal.insane() == []
        assert shell.terminal.afterwards.count("tui-popretr: the journal") == 1


def test_where_no_shell_is_it_says_so(tmp_path: Path) -> None:
    with on_terminal(at_rest(tmp_path)) as terminal:
        terminal.wait_for("waiting")
        terminal.press("\x1a")
        terminal.wait_for("there is no shell with job control")
        terminal.press("q")
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []


def test_without_a_shell_sigtstp_stops_it_until_sigcont(tmp_path: Path) -> None:
    with on_terminal(at_rest(tmp_path)) as terminal:
        terminal.wait_for("waiting")
        terminal.send(signal.SIGTSTP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
        assert terminal.insane() == []
        terminal.send(signal.SIGCONT)
        terminal.wait_until(lambda drawn: b"History" in drawn.rpartition(b"\x1b[?1049h")[2] and b"?1049l" in drawn)
        terminal.send(signal.SIGTERM)
        assert terminal.ended(within=10) == 0
        assert terminal.insane() == []


def test_the_viewer_of_a_transcript_stops_and_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "transcript.log"
    log.write_text("", encoding="utf-8")
    with in_shell("transcript", str(log)) as shell:
        shell.terminal.wait_for("Quit")
        shell.terminal.press("\x1a")
        assert shell.says().startswith("stopped")
        assert shell.terminal.insane() == []
        shell.ask("fg")
        wait_for_screen(shell, 2, b"Quit")
        shell.terminal.press("q")
        assert shell.says() == "exited 0"
        assert shell.terminal.insane() == []
