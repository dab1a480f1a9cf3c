"""Hostile servers at the greeting."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import CUT, SILENCE, endlessly, slowly
from tests.hostile.service import TIMEOUT
from tui_popretr.errors import ExitCode

PERHAPS_TLS = "if this port speaks TLS from the first byte"

BEHAVIOURS = {
    "none": Behaviour(
        {"GREETING": SILENCE},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        PERHAPS_TLS,
        told=0,
        seconds=TIMEOUT,
    ),
    "cut": Behaviour(
        {"GREETING": CUT},
        "the server closed the connection before its greeting",
        ExitCode.TEMPORARY,
        PERHAPS_TLS,
        told=0,
    ),
    "endless": Behaviour(
        {"GREETING": endlessly(b"+OK " + b"x" * 60000)},
        "the server sent an endless line: +OK " + "x" * 36 + "…",
        ExitCode.PROTOCOL,
        "check that address and port",
        told=0,
    ),
    "endless, and no status": Behaviour(
        {"GREETING": endlessly(b"x" * 60000)},
        "the server's answer is neither +OK nor -ERR: " + "x" * 200 + "…",
        ExitCode.PROTOCOL,
        "check that address and port",
        told=0,
    ),
    "lines without end": Behaviour(
        {"GREETING": endlessly(b"+OK more\r\n" * 1000)},
        "the server sent an unexpected line: +OK more",
        ExitCode.PROTOCOL,
        told=0,
    ),
    "refused": Behaviour(
        {"GREETING": b"-ERR go away\r\n"}, "the server refused access: go away", ExitCode.UNAVAILABLE, told=0
    ),
    "refused without a reason": Behaviour(
        {"GREETING": b"-ERR\r\n"}, "the server refused access: without a reason", ExitCode.UNAVAILABLE, told=0
    ),
    "refused for now": Behaviour(
        {"GREETING": b"-ERR [SYS/TEMP] later\r\n"},
        "the server refused access: [SYS/TEMP] later",
        ExitCode.TEMPORARY,
        told=0,
    ),
    "refused without end": Behaviour(
        {"GREETING": endlessly(b"-ERR " + b"x" * 60000)},
        "the server sent an endless line: -ERR " + "x" * 35 + "…",
        ExitCode.PROTOCOL,
        told=0,
    ),
    "empty": Behaviour(
        {"GREETING": (b"\r\n", SILENCE)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        PERHAPS_TLS,
        told=0,
        seconds=TIMEOUT,
    ),
    "empty lines without end": Behaviour(
        {"GREETING": endlessly(b"\r\n" * 1000)},
        "the server's answer is neither +OK nor -ERR: more than 8 empty lines",
        ExitCode.PROTOCOL,
        told=0,
    ),
    "another protocol": Behaviour(
        {"GREETING": b"SSH-2.0-OpenSSH_9.2\r\n"},
        "the server's answer is neither +OK nor -ERR: SSH-2.0-OpenSSH_9.2",
        ExitCode.PROTOCOL,
        "check that address and port",
        told=0,
    ),
    "one octet at a time for ever": Behaviour(
        {"GREETING": slowly(10.0, b"+OK " + b"x" * 900)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        told=0,
        seconds=TIMEOUT,
    ),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_greeting(behaviour: Behaviour, tmp_path: Path, autojump_clock: MockClock) -> None:
    service = await prove(behaviour, tmp_path)
    assert service.server.heard[0] == []
