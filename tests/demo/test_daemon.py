"""The demo as a daemon, in a process of its own: it says how to attach, answers there, and ends by a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program.process import environment
from tests.support.waiting import PATIENCE
from tests.ui.terminal import on_terminal
from tui_popretr.control.client import ControlClient


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", "demo", "--daemon", "--folder", str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if text in line:
            return lines
    raise AssertionError(f"no {text!r} in {lines}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_runs_until_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with start(folder) as process:
        try:
            lines = read_until(process, "kill ")
            assert f"  tui-popretr attach {folder}/demo.xml" in lines
            assert lines[-1] == f"  kill {process.pid}"
            with contextlib.closing(ControlClient(str(folder / "var/control.sock"))) as client:
                assert client.hello.config == f"{folder}/demo.xml"
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert "Stopped.\n" in out
    assert (folder / "logs/program.log").exists()


def test_without_keep_nothing_stays(tmp_path: Path) -> None:
    with start(tmp_path / "demo", "--no-keep") as process:
        try:
            read_until(process, "kill ")
            process.terminate()
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert os.listdir(tmp_path) == []


def test_ctrl_c_ends_it_on_a_terminal(tmp_path: Path) -> None:
    with on_terminal("demo", "--daemon", "--folder", str(tmp_path / "demo")) as terminal:
        terminal.wait_for("ctrl+c in this terminal")
        terminal.press("\x03")
        terminal.wait_for("Stopped.")
        assert terminal.ended() == 0


def test_without_a_socket_the_log_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    with start(folder) as process:
        try:
            lines = read_until(process, "kill ")
            process.terminate()
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert f"  {folder}/logs/program.log" in lines
    assert "attach" not in lines[-4].split()[:2]
