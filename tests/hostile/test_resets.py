"""A connection that is reset (RST) at each command, over real sockets: what was delivered is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trio.testing import trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import RESET, UNSAID, Play, part
from tui_popretr.errors import ExitCode

#: Which of these words the system has depends on whether we were about to read or to write.
BROKE = re.compile(
    "(. messages? could not be (retrieved|deleted from the server): )?"
    "the connection broke: (connection reset by peer|broken pipe)"
)
COMMANDS = {"USER": 0, "PASS": 1, "STAT": 1, "UIDL": 1, "LIST": 1}
LATE = ["RETR", "RETR 1", "RETR 2", "RETR 3", "DELE", "DELE 1", "DELE 3", "QUIT"]


@trio_test
async def test_a_reset_instead_of_a_greeting(tmp_path: Path) -> None:
    """It may come before the connection is looked at for the first time."""
    says = re.compile(f"{BROKE.pattern}|cannot connect to .*: transport endpoint is not connected")
    await prove(Behaviour({"GREETING": RESET}, says, None, told=0), tmp_path, sockets=True)


@pytest.mark.parametrize("command", COMMANDS)
@trio_test
async def test_a_reset_before_the_messages(command: str, tmp_path: Path) -> None:
    behaviour = Behaviour({command: RESET}, BROKE, ExitCode.TEMPORARY, told=COMMANDS[command])
    await prove(behaviour, tmp_path, sockets=True)


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("command", LATE)
@trio_test
async def test_a_reset_among_the_messages(command: str, pipelining: bool, tmp_path: Path) -> None:
    behaviour = Behaviour({command: RESET}, BROKE, ExitCode.TEMPORARY, delivered=None, told=None, notes=None)
    await prove(behaviour, tmp_path, pipelining=pipelining, sockets=True)


@pytest.mark.parametrize("play", [(part(60), RESET), (UNSAID, RESET)], ids=["in the middle", "when all was done"])
@pytest.mark.parametrize("command", ["CAPA", "UIDL", "RETR 2", "DELE 2", "QUIT"])
@trio_test
async def test_a_reset_within_an_answer(command: str, play: Play, tmp_path: Path) -> None:
    """Of an answer that was reset some may arrive, or none."""
    behaviour = Behaviour({command: play}, re.compile(".*"), None, delivered=None, told=None, notes=None)
    await prove(behaviour, tmp_path, sockets=True)
