"""A dashboard attached to a daemon: the real program twice, one of them on a terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import Program, client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for
from tests.ui.terminal import OnTerminal, on_terminal
from tui_popretr.control.client import ControlClient, NoDaemonError
from tui_popretr.ui.shell.attached import RETRY

BEFORE = "<delay_start>0</delay_start>"
LATER = "<delay_start>5h</delay_start>"
MESSAGES = 60
GONE = "the daemon has ended; reconnecting"


def maildrop() -> ServedMaildrop:
    box = ServedMaildrop("me", PASSWORD)
    for number in range(MESSAGES):
        box.add(mail(f"me{number}"))
    return box


def at_rest(folder: Path) -> str:
    """A configuration whose client runs much later."""
    return write_configuration(folder / "c.xml", client("isp", "127.0.0.1:1"), before=LATER)


@contextmanager
def daemon(path: str) -> Iterator[Program]:
    """A program without a dashboard, whose socket listens."""
    with started(path, "--headless") as program:
        wait_for(lambda: listens(os.path.join(os.path.dirname(path), "var/control.sock")), "the socket")
        yield program


@contextmanager
def in_mid_session(folder: Path) -> Iterator[tuple[str, Program, RunningServer]]:
    """A daemon with a session that takes some seconds."""
    with running_server([maildrop()], policy=ServerPolicy(pipelining=False), faults=Faults(delay=0.05)) as server:
        path = write_configuration(folder / "c.xml", client("isp", server.address), before=BEFORE)
        with daemon(path) as program:
            server.wait_for_line(b"RETR", count=3)
            yield path, program, server


def listens(path: str) -> bool:
    try:
        ControlClient(path).close()
    except NoDaemonError:
        return False
    return True


def delivered(folder: Path) -> int:
    return len(os.listdir(folder / "var/mail/isp/new"))


def test_q_detaches_and_asks_nothing(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (path, program, server):
        with on_terminal("attach", path) as terminal:
            terminal.wait_for(f"attached to {program.pid}, since ")
            terminal.wait_for("retrieving")
            terminal.press("q")
            assert terminal.ended(within=10) == 0
            assert terminal.insane() == []
            assert terminal.afterwards.strip() == ""
        server.wait_for_line(b"QUIT")
        wait_for(lambda: delivered(tmp_path) == MESSAGES, "the mail")
        program.send(signal.SIGTERM)
        assert program.ended() == 0


def test_a_closed_terminal_ends_only_the_attached_dashboard(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (path, program, server):
        with on_terminal("attach", path) as terminal:
            terminal.wait_for("retrieving")
            terminal.hang_up()
            assert terminal.ended(within=10) == 0
        server.wait_for_line(b"QUIT")
        wait_for(lambda: delivered(tmp_path) == MESSAGES, "the mail")
        program.send(signal.SIGTERM)
        assert program.ended() == 0


def test_sigterm_and_sighup_end_only_the_dashboard(tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    with daemon(path) as program:
        for number in (signal.SIGTERM, signal.SIGHUP):
            with on_terminal("attach", path) as terminal:
                terminal.wait_for("attached to")
                terminal.send(number)
                assert terminal.ended(within=10) == 0
                assert terminal.insane() == []
        program.send(signal.SIGTERM)
        assert program.ended() == 0


def test_it_says_that_the_daemon_was_killed_and_comes_back(tmp_path: Path) -> None:
    with in_mid_session(tmp_path) as (path, program, _), on_terminal("attach", path, columns=80, rows=24) as terminal:
        terminal.wait_for(f"attached to {program.pid}, since ")
        terminal.wait_for("retrieving")
        program.send(signal.SIGKILL)
        program.ended()
        terminal.wait_for(GONE)
        terminal.wait_for("? unknown")
        terminal.wait_for("0 running")
        terminal.press("r")
        terminal.wait_for("the daemon has ended, so this cannot be done")
        with started(path, "--headless") as again:
            terminal.wait_for(f"attached to {again.pid}, since ")
            wait_for(lambda: delivered(tmp_path) == MESSAGES, "the mail")
            terminal.press("q")
            assert terminal.ended(within=10) == 0
            assert terminal.insane() == []


def test_it_connects_again_within_5_seconds() -> None:
    assert RETRY <= 2


@contextmanager
def on_terminal_and_daemon(
    path: str, *options: str, command: tuple[str, ...] = ("attach",)
) -> Iterator[tuple[OnTerminal, Program]]:
    """A daemon, and a dashboard that is attached to it."""
    with daemon(path) as program, on_terminal(*command, path, *options) as terminal:
        terminal.wait_for("attached to")
        yield terminal, program


def test_run_on_a_terminal_attaches(tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    with on_terminal_and_daemon(path, command=()) as (terminal, program):
        terminal.press("r")
        terminal.wait_for("failed")
        program.wait_for("isp")  # the session was the daemon's
        terminal.press("q")
        assert terminal.ended(within=10) == 0


def test_run_of_one_client_does_not_attach(tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    with daemon(path) as program, on_terminal(path, "--client", "isp", columns=300) as terminal:
        assert terminal.ended() == 75
        assert f"a daemon runs with {path} (process {program.pid}); --client does not change it" in terminal.text
        assert f"tui-popretr poll {path} --client isp --wait" in terminal.text
        assert "Traceback" not in terminal.text


@pytest.mark.parametrize(
    ("arguments", "code", "texts"),
    [
        (("attach",), 69, ["speaks version 1 of the control protocol"]),
        ((), 75, ["is in use by another tui-popretr", "no dashboard can be attached to it", "speaks version 1"]),
    ],
)
def test_a_daemon_of_another_protocol(arguments: tuple[str, ...], code: int, texts: list[str], tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    patch = "from tui_popretr.control import client\nclient.PROTOCOL = 2"
    with daemon(path), on_terminal(*arguments, path, columns=300, patch=patch) as terminal:
        assert terminal.ended() == code
        assert "Traceback" not in terminal.text
        for text in texts:
            assert text in terminal.text


def test_a_reload_that_is_impossible_is_shown(tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    good = Path(path).read_text()
    with on_terminal_and_daemon(path) as (terminal, program):
        Path(path).write_text(good.replace("<maildir>", '<maildir mode="x">'))
        terminal.press("\x12")
        terminal.wait_for("the old configuration stays: ")
        Path(path).write_text(good.replace("5h", "6h"))
        terminal.press("\x12")
        terminal.wait_for("configuration reloaded: no client has changed")
        program.stop()
        terminal.wait_for(GONE)


def test_read_only_refuses_in_words(tmp_path: Path) -> None:
    with on_terminal_and_daemon(at_rest(tmp_path), "--read-only") as (terminal, _):
        terminal.wait_for(", read-only")
        terminal.press("r")
        terminal.wait_for("this dashboard is read-only; attach without --read-only for actions")


def test_without_a_daemon_attach_ends_with_69(tmp_path: Path) -> None:
    with on_terminal("attach", at_rest(tmp_path)) as terminal:
        assert terminal.ended() == 69
        assert "no daemon runs with" in terminal.text
        assert "--headless" in terminal.text


def test_without_a_terminal_attach_ends_with_64(tmp_path: Path) -> None:
    done = run_program("attach", at_rest(tmp_path))
    assert (done.code, "needs a terminal" in done.err) == (64, True)


def test_a_run_beside_a_daemon_names_poll(tmp_path: Path) -> None:
    path = at_rest(tmp_path)
    with daemon(path):
        for options in (("--headless",), ("--headless", "--once")):
            done = run_program(path, *options)
            assert (done.code, f"tui-popretr poll {path} --all --wait" in done.err) == (75, True)
