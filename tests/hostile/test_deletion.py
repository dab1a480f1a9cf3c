"""What a server can do about deletions and QUIT: what is owed is made up for, and nothing comes twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove
from tests.hostile.script import CUT, ORDINARY, SILENCE, UNSAID, Play, endlessly, part, slowly
from tests.hostile.service import TIMEOUT
from tui_popretr.errors import ExitCode

EACH_WAY = pytest.mark.parametrize("pipelining", [False, True])
ASKED_AGAIN = "the next run asks it again"
MADE_UP = "deletions may not have happened; they are made up for at the next run"
STALLED = "the server has made no progress for 30 s"

BEHAVIOURS = {
    "DELE refused": Behaviour(
        {"DELE": b"-ERR no\r\n"},
        delivered=3,
        notes=[f"the server refused to delete 3 messages (no): {ASKED_AGAIN}"],
    ),
    "one DELE refused": Behaviour(
        {"DELE 2": b"-ERR\r\n"},
        delivered=3,
        notes=[f"the server refused to delete 1 message (without a reason): {ASKED_AGAIN}"],
    ),
    "DELE accepted, and nothing deleted": Behaviour({"DELE": b"+OK\r\n"}, delivered=3),
    "QUIT unanswered": Behaviour({"QUIT": SILENCE}, STALLED, ExitCode.TEMPORARY, delivered=3, seconds=TIMEOUT),
    "QUIT unanswered, and obeyed": Behaviour(
        {"QUIT": (UNSAID, SILENCE)}, STALLED, ExitCode.TEMPORARY, delivered=3, seconds=TIMEOUT
    ),
    "QUIT refused": Behaviour(
        {"QUIT": b"-ERR no\r\n"},
        "the server answered QUIT with an error: no",
        ExitCode.PROTOCOL,
        MADE_UP,
        delivered=3,
    ),
    "QUIT refused, and obeyed": Behaviour(
        {"QUIT": (UNSAID, b"-ERR some deleted messages not removed\r\n")},
        "the server answered QUIT with an error: some deleted messages not removed",
        ExitCode.PROTOCOL,
        MADE_UP,
        delivered=3,
    ),
    "QUIT cut": Behaviour(
        {"QUIT": CUT},
        "the server closed the connection before its answer to QUIT",
        ExitCode.TEMPORARY,
        delivered=3,
    ),
    "QUIT cut, and obeyed": Behaviour(
        {"QUIT": (UNSAID, CUT)},
        "the server closed the connection before its answer to QUIT",
        ExitCode.TEMPORARY,
        delivered=3,
    ),
    "QUIT answered half": Behaviour(
        {"QUIT": (b"+OK", CUT)},
        "the server closed the connection before its answer to QUIT",
        ExitCode.TEMPORARY,
        delivered=3,
    ),
    "QUIT answered with garbage": Behaviour(
        {"QUIT": b"bye\r\n"}, "the server's answer is neither +OK nor -ERR: bye", ExitCode.PROTOCOL, delivered=3
    ),
    "QUIT answered without end": Behaviour(
        {"QUIT": endlessly(b"+OK " + b"x" * 60000)},
        "the server sent an endless line: +OK " + "x" * 36 + "…",
        ExitCode.PROTOCOL,
        delivered=3,
    ),
    "QUIT answered one octet at a time": Behaviour(
        {"QUIT": slowly(5.0, b"+OK " + b"x" * 60)}, STALLED, ExitCode.TEMPORARY, delivered=3, seconds=TIMEOUT
    ),
    "nothing is said any more after QUIT's answer": Behaviour({"QUIT": (ORDINARY, SILENCE)}, delivered=3),
    "much is said after QUIT's answer": Behaviour(
        {"QUIT": (ORDINARY, endlessly(b"-ERR more\r\n" * 5000))}, delivered=3
    ),
}


@EACH_WAY
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_end(behaviour: Behaviour, pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(behaviour, tmp_path, pipelining=pipelining)


UNDELETED = "1 message could not be deleted from the server: "
BREAKS: dict[str, tuple[Play, str, ExitCode]] = {
    "silence": (SILENCE, STALLED, ExitCode.TEMPORARY),
    "a cut": (CUT, "the server closed the connection before its answer to DELE 1", ExitCode.TEMPORARY),
    "garbage": (b"what?\r\n", "the server's answer is neither +OK nor -ERR: what?", ExitCode.PROTOCOL),
    "an endless line": (
        endlessly(b"+OK " + b"x" * 60000),
        "the server sent an endless line: +OK " + "x" * 36 + "…",
        ExitCode.PROTOCOL,
    ),
}


@EACH_WAY
@pytest.mark.parametrize(("play", "says", "code"), BREAKS.values(), ids=BREAKS)
@trio_test
async def test_dele_breaks_the_connection(
    play: Play, says: str, code: ExitCode, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The failure is counted against that deletion, unless the server had several commands to answer."""
    seconds = TIMEOUT if play is SILENCE else 0.0
    one = {"uid-1": MAILS["uid-1"]}  # so that QUIT is always behind its DELE
    behaviour = Behaviour(
        {"DELE 1": play},
        f"{UNDELETED}{says}",
        ExitCode.TEMPORARY,
        delivered=1,
        told=2,
        seconds=seconds,
        notes=[f"{says}; connecting once more to go on after it"],
        broke_by_pipelining=says,
        mails=one,
    )
    service = await prove(behaviour, tmp_path, pipelining=pipelining)
    assert "QUIT" not in service.server.verbs(1 if pipelining else 0)
    assert pipelining or "DELE" not in service.server.verbs(1)


# --- what is owed: TOP shows whether it is the message that was delivered ---------------------------------------------


def owing(play: Play, says: str | re.Pattern[str] = "", **changes: Any) -> Behaviour:
    """All were delivered and none deleted; now TOP of the first is answered so."""
    code = ExitCode.TEMPORARY if says else ExitCode.OK
    broke: dict[str, Any] = {"told": 2, "notes": None} if says else {}
    if isinstance(says, str) and "in the middle" not in says:
        broke["broke_by_pipelining"] = says.removeprefix(UNDELETED)
    return Behaviour({"TOP 1 0": play}, says, code, **{"before": {"QUIT": b"-ERR no\r\n"}, **broke, **changes})


OWED = {
    "answered": owing(ORDINARY),
    "refused": owing(b"-ERR no\r\n"),
    "unanswered": owing(SILENCE, UNDELETED + STALLED, seconds=TIMEOUT),
    "cut": owing(CUT, f"{UNDELETED}the server closed the connection before its answer to TOP 1 0"),
    "cut within": owing(
        (part(20), CUT), f"{UNDELETED}the server closed the connection in the middle of its answer to TOP 1 0"
    ),
    "garbage": owing(b"\x1b\r\n", f"{UNDELETED}the server's answer is neither +OK nor -ERR: \\x1b"),
    "endless": owing(
        (b"+OK\r\n", endlessly(b"x" * 60000)),
        re.compile(f"{UNDELETED}message 1 \\(UID uid-1\\) does not end: [0-9]+ octets so far, 243 announced"),
        sends=2**20,
    ),
    "of another message": owing(b"+OK\r\nMessage-ID: <new@example.test>\r\n\r\n.\r\n"),
    "of nothing": owing(b"+OK\r\n.\r\n"),
    "twice": owing((b"+OK\r\n", ORDINARY)),
}


@EACH_WAY
@pytest.mark.parametrize("behaviour", OWED.values(), ids=OWED)
@trio_test
async def test_what_is_owed(
    behaviour: Behaviour, pipelining: bool, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted that was not seen to be delivered. Where TOP shows another header, RETR decides."""
    monkeypatch.setattr("tui_popretr.session.reception.EXCESS", 2**18)
    await prove(behaviour, tmp_path, pipelining=pipelining)
