"""What a server can do with a message: the others come all the same, and what came is what was sent."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove
from tests.hostile.script import CUT, SILENCE, Play, Script, endlessly, part, slowly
from tests.hostile.server import HostileServer
from tests.hostile.service import TIMEOUT, Service
from tui_popretr.errors import ExitCode
from tui_popretr.journal.journal import Journal
from tui_popretr.session.reception import EXCESS_FACTOR

MEGABYTE = 2**20
EACH_WAY = pytest.mark.parametrize("pipelining", [False, True])
AGAIN = "; connecting once more to go on after it"


def broken(script: Script, reason: str, *, seconds: float = 0.0, broke_by_pipelining: bool = False) -> Behaviour:
    """The second message breaks the connection: the client reconnects once and goes on after it.

    `broke_by_pipelining`: PIPELINING may be the cause as well; then the message is requested once more, at the end.
    """
    return Behaviour(
        script,
        f"1 message could not be retrieved: {reason}",
        ExitCode.TEMPORARY,
        delivered=2,
        told=2,
        seconds=seconds,
        sends=MEGABYTE,
        notes=[reason + AGAIN],
        broke_by_pipelining=reason if broke_by_pipelining else "",
    )


STALLED = "the server has made no progress for 30 s"
SIZE = len(MAILS["uid-2"])
UNENDED = (
    f"the server has not ended message 2 (UID uid-2): all of its {SIZE} octets arrived,"
    " but not the line that ends a message"
)

BEHAVIOURS = {
    "refused": Behaviour(
        {"RETR 2": b"-ERR no\r\n"},
        "1 message could not be retrieved: the server refused to send it: no",
        ExitCode.TEMPORARY,
        delivered=2,
    ),
    "refused without a reason": Behaviour(
        {"RETR 2": b"-ERR\r\n"},
        "1 message could not be retrieved: the server refused to send it: without a reason",
        ExitCode.TEMPORARY,
        delivered=2,
    ),
    "all refused": Behaviour(
        {"RETR": b"-ERR no\r\n"},
        "3 messages could not be retrieved: the server refused to send it: no",
        ExitCode.TEMPORARY,
    ),
    "no answer": broken({"RETR 2": SILENCE}, STALLED, seconds=TIMEOUT, broke_by_pipelining=True),
    "cut": broken(
        {"RETR 2": (part(60), CUT)}, "the server closed the connection in the middle of its answer to RETR 2"
    ),
    "cut at once": broken(
        {"RETR 2": CUT}, "the server closed the connection before its answer to RETR 2", broke_by_pipelining=True
    ),
    "cut before the last octet": broken(
        {"RETR 2": (part(-1), CUT)}, "the server closed the connection in the middle of its answer to RETR 2"
    ),
    "stalled": broken({"RETR 2": (part(60), SILENCE)}, STALLED, seconds=TIMEOUT),
    "stalled before the end": broken({"RETR 2": (part(-3), SILENCE)}, UNENDED, seconds=TIMEOUT),
    "stalled behind its last line": broken({"RETR 2": (part(-1), SILENCE)}, UNENDED, seconds=TIMEOUT),
    "too slow": broken({"RETR 2": slowly(0.2)}, STALLED, seconds=TIMEOUT),
    "not its status": broken(
        {"RETR 2": b"Subject: x\r\n\r\n.\r\n"},
        "the server's answer is neither +OK nor -ERR: Subject: x",
        broke_by_pipelining=True,
    ),
    "an endless status": broken(
        {"RETR 2": endlessly(b"+OK " + b"x" * 60000)},
        "the server sent an endless line: +OK " + "x" * 36 + "…",
        broke_by_pipelining=True,
    ),
}


@EACH_WAY
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_message(behaviour: Behaviour, pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(behaviour, tmp_path, pipelining=pipelining)


@EACH_WAY
@pytest.mark.parametrize("play", [CUT, SILENCE, b"what?\r\n"], ids=["cut", "silence", "garbage"])
@trio_test
async def test_a_message_that_breaks_every_connection(
    play: Play, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It is blamed at each run, once, also where PIPELINING might have been the reason; then it has to rest.

    There, the others come at the first run and are deleted at the second, which suspects PIPELINING no more.
    """
    server = HostileServer(MAILS, {}, pipelining=pipelining)
    service = Service(tmp_path, server)
    for failures in (1, 2, 3):
        server.script = {f"RETR {1 + list(server.mails).index('uid-2')}": play}
        await service.run()
        with closing(Journal.open(str(tmp_path / "popretr.sqlite"))) as journal:
            (troubles,) = filter(None, (journal.failures(maildrop) for maildrop in (1, 2)))
            assert {key: trouble.failures for key, trouble in troubles.items()} == {"uid:uid-2": failures}
            assert journal.pipelining_failures() == []
        assert service.arrived() == Counter([MAILS["uid-1"], MAILS["uid-3"]])
        assert list(server.mails) == ["uid-2"] or (pipelining and failures == 1)
        assert len(server.heard) == 2 * failures
    resting = await service.run()
    assert (resting.code, resting.failed) == (ExitCode.TEMPORARY, 1), (
        "a message that stays is said, also while it rests"
    )
    assert len(server.heard) == 7


#: What is repeated.
OCTETS = {"one line": b"x", "lines": b"x" * 75 + b"\r\n", "almost ends": b"\r\n.\r", "bare CR": b"\r", "NUL": b"\0"}


@pytest.mark.parametrize("limit", ["by its size", "by a larger size", "by maxsize"])
@pytest.mark.parametrize("octets", OCTETS.values(), ids=OCTETS)
@trio_test
async def test_a_message_without_end(
    octets: bytes, limit: str, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up when it is far longer than announced, or than maxsize allows, and the others are not kept."""
    announced = 10**5 if limit == "by a larger size" else SIZE
    maxsize = 10**5 if limit == "by maxsize" else None
    most = 2 * maxsize + 64 * 1024 if maxsize else EXCESS_FACTOR * announced + MEGABYTE
    monkeypatch.setattr("tui_popretr.session.reception.EXCESS", 8 * MEGABYTE if maxsize else MEGABYTE)
    reason = f"message 2 \\(UID uid-2\\) does not end: [0-9]+ octets so far, {announced} announced"
    behaviour = Behaviour(
        {
            "LIST": f"+OK\r\n1 {SIZE}\r\n2 {announced}\r\n3 {SIZE}\r\n.\r\n".encode(),
            "RETR 2": (b"+OK\r\n", endlessly(octets * (60000 // len(octets)))),
        },
        re.compile(f"1 message could not be retrieved: {reason}"),
        ExitCode.TEMPORARY,
        delivered=2,
        told=2,
        sends=most + most // 3 + MEGABYTE,  # of "\r\n.\r" the dot does not count
        notes=[re.compile(reason + AGAIN)],
        client={"max_size": maxsize},
    )
    await prove(behaviour, tmp_path)
