"""Replies to commands that were never sent: the session ends, and no such reply stands for the one that is to come."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import SILENCE, Play, Say
from tui_popretr.errors import ExitCode

EXTRA = {"+OK": b"+OK extra\r\n", "-ERR": b"-ERR extra\r\n", "rows": b"extra 1\r\n.\r\n", "half a line": b"+OK ext"}
SAID = {
    "+OK": "the server sent an unexpected line: +OK extra",
    "-ERR": "the server broke off: -ERR extra",
    "rows": "the server sent an unexpected line: extra 1",
    "half a line": "the server sent an unexpected line: +OK ext",
}
ANYTHING = re.compile(".*")
#: How often the password is sent if the extra reply follows that of a command.
TOLD = {"GREETING": 0, "USER": 0, "PASS": 1, "CAPA": 0, "STAT": 1, "UIDL": 1, "LIST": 1}


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("command", TOLD)
@trio_test
async def test_a_reply_behind_a_reply(command: str, extra: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """In one segment with it: it was there before the next command was sent."""
    ordinary = {
        "GREETING": b"+OK ready\r\n",
        "CAPA": b"+OK\r\nTOP\r\nUIDL\r\n.\r\n",
        "STAT": b"+OK 3 729\r\n",
        "UIDL": b"+OK\r\n1 uid-1\r\n2 uid-2\r\n3 uid-3\r\n.\r\n",
        "LIST": b"+OK\r\n1 243\r\n2 243\r\n3 243\r\n.\r\n",
    }.get(command, b"+OK\r\n")
    script: dict[str, Play] = {command: ordinary + EXTRA[extra]}
    await prove(Behaviour(script, SAID[extra], ExitCode.PROTOCOL, told=TOLD[command]), tmp_path)


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("command", ["RETR 1", "RETR 2", "RETR 3", "DELE 1", "DELE 3"])
@trio_test
async def test_a_reply_behind_a_message(command: str, extra: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    script: dict[str, Play] = {command: Say(more=EXTRA[extra])}
    says = re.compile(f"(1 message could not be retrieved: )?{re.escape(SAID[extra])}")
    behaviour = Behaviour(script, says, None, delivered=None, told=None, notes=None)
    await prove(behaviour, tmp_path)


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("command", ["RETR 1", "RETR 2", "RETR 3", "DELE 1", "DELE 3"])
@trio_test
async def test_a_reply_in_a_window(command: str, extra: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """It passes for another one, and which message is which is no longer known: nothing is lost all the same."""
    script: dict[str, Play] = {command: Say(more=EXTRA[extra])}
    behaviour = Behaviour(script, ANYTHING, None, delivered=None, told=None, notes=None, mixed=True)
    await prove(behaviour, tmp_path, pipelining=True)


@pytest.mark.parametrize("count", [1, 3, 50])
@trio_test
async def test_answers_in_advance(count: int, tmp_path: Path, autojump_clock: MockClock) -> None:
    """+OKs that come before their commands are no answers to DELE and QUIT: what was not deleted is owed."""
    script: dict[str, Play] = {"RETR 3": Say(more=b"+OK\r\n" * count), "DELE": SILENCE}
    says = "the server sent an unexpected line: +OK"
    behaviour = Behaviour(script, says, ExitCode.PROTOCOL, delivered=None, told=None, notes=None)
    await prove(behaviour, tmp_path)
