"""On a terminal with SIGHUP or SIGINT ignored from the start, as under nohup: signals change nothing, its loss does."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.program.process import client, write_configuration
from tests.ui.terminal import OnTerminal, on_terminal

IGNORED = "import signal\nfor number in (signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)"


def arguments(folder: Path, what: str) -> tuple[str, ...]:
    if what == "transcript":
        (folder / "t.log").write_text("c-1 ===== 2026-11-23 07:27:59.107 >> Connection\n")
        return "transcript", str(folder / "t.log")
    return (write_configuration(folder / "c.xml", client("c", "127.0.0.1:1")),)


def drawn(terminal: OnTerminal) -> None:
    terminal.wait_for("Quit")


@pytest.mark.parametrize("what", ["dashboard", "transcript"])
def test_ignored_signals_change_nothing(tmp_path: Path, what: str) -> None:
    with on_terminal(*arguments(tmp_path, what), patch=IGNORED) as terminal:
        drawn(terminal)
        terminal.send(signal.SIGHUP)
        terminal.send(signal.SIGINT)
        terminal.press("?")
        terminal.wait_for("Everywhere")
        terminal.send(signal.SIGTERM)
        assert terminal.ended() == 0
        assert terminal.insane() == []


@pytest.mark.parametrize("what", ["dashboard", "transcript"])
def test_the_loss_of_the_terminal_ends_it(tmp_path: Path, what: str) -> None:
    with on_terminal(*arguments(tmp_path, what), patch=IGNORED) as terminal:
        drawn(terminal)
        terminal.hang_up()
        assert terminal.ended() == 0
