"""What a server can say to CAPA: nonsense means nothing, and never costs the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import Behaviour, prove
from tests.hostile.script import CUT, SILENCE, endlessly, slowly
from tests.hostile.service import TIMEOUT
from tui_popretr.errors import ExitCode

NONSENSE = (
    b"+OK\r\n\x00\xff\r\n\x1b]0;owned\x07\r\n \r\nLOGIN-DELAY soon\r\nEXPIRE -1\r\nSASL\r\n"
    + b"X" * 3000
    + b"\r\n.\r\n"
)

BEHAVIOURS = {
    "refused": Behaviour({"CAPA": b"-ERR what?\r\n"}, delivered=3),
    "nonsense": Behaviour({"CAPA": NONSENSE}, delivered=3),
    "nothing": Behaviour({"CAPA": b"+OK\r\n.\r\n"}, delivered=3),
    "no status": Behaviour(
        {"CAPA": b"TOP\r\nUIDL\r\n.\r\n"}, "the server's answer is neither +OK nor -ERR: TOP", ExitCode.PROTOCOL
    ),
    "a row without end": Behaviour(
        {"CAPA": (b"+OK\r\n", endlessly(b"x" * 60000))},
        "the server's answer to CAPA has more than 65536 octets",
        ExitCode.PROTOCOL,
    ),
    "rows without end": Behaviour(
        {"CAPA": (b"+OK\r\n", endlessly(b"X-MORE\r\n" * 5000))},
        "the server's answer to CAPA has more than 65536 octets",
        ExitCode.PROTOCOL,
    ),
    "never finished": Behaviour(
        {"CAPA": (b"+OK\r\nTOP\r\n", SILENCE)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        seconds=TIMEOUT,
    ),
    "cut": Behaviour(
        {"CAPA": (b"+OK\r\nTOP\r\n", CUT)},
        "the server closed the connection in the middle of its answer to CAPA",
        ExitCode.TEMPORARY,
    ),
    "one octet at a time": Behaviour(
        {"CAPA": slowly(1.0, b"+OK\r\n" + b"X-MORE\r\n" * 1000)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        seconds=TIMEOUT + 4,
    ),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_capabilities(behaviour: Behaviour, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(behaviour, tmp_path)
