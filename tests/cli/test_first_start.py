"""`tui-popretr` where there is no configuration yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conversation import CTRL_C, converse
from tests.program.process import run_program

CHOICE = "Number [1]: "


def test_init_on_a_terminal(tmp_path: Path) -> None:
    talk = converse(tmp_path, (), [(CHOICE, ""), ("if there is none): ", CTRL_C)])
    assert talk.code == 130, talk.screen
    assert f"No configuration: neither {tmp_path}/.config/tui-popretr/tui-popretr.xml nor " in " ".join(
        talk.screen.split()
    )
    assert "tui-popretr init" in talk.screen
    assert "tui-popretr demo" in talk.screen


def test_demo_on_a_terminal(tmp_path: Path) -> None:
    talk = converse(tmp_path, (), [(CHOICE, "2")])
    assert talk.code == 0, talk.screen
    assert "messages" in talk.screen.partition(CHOICE)[2]


def test_nothing_on_a_terminal(tmp_path: Path) -> None:
    talk = converse(tmp_path, (), [(CHOICE, "3")])
    assert talk.code == 78, talk.screen
    assert talk.screen.endswith(" after the command\n")


def test_without_a_terminal_the_error_names_both(tmp_path: Path) -> None:
    done = run_program(environ={"HOME": str(tmp_path)})
    assert (done.code, done.out) == (78, "")
    assert "tui-popretr: no configuration: neither " in done.err
    assert "tui-popretr init" in done.err
    assert "tui-popretr demo" in done.err


@pytest.mark.parametrize("arguments", [("--headless",), ("--client", "isp"), ("status",)])
def test_other_commands_ask_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    talk = converse(tmp_path, arguments, [])
    assert talk.code == 78, talk.screen
    assert CHOICE not in talk.screen
