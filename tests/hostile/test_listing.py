"""What a server can say of its maildrop: what makes no sense ends the session, what disagrees costs no message."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove
from tests.hostile.script import CUT, SILENCE, Script, endlessly
from tests.hostile.server import HostileServer
from tests.hostile.service import TIMEOUT, Service
from tui_popretr.errors import ExitCode

SIZE = len(MAILS["uid-1"])
STALLED = "the server has made no progress for 30 s"


def rows(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("+OK", *lines, ".")).encode()


def stat(text: str) -> Script:
    return {"STAT": f"+OK {text}\r\n".encode()}


def unlisted(count: int, listed: int) -> list[str]:
    return [f"the server counts {count} messages (STAT) and lists {listed} (LIST): the others stay on it"]


def cut_short(number: int, listed: int) -> str:
    return (
        f"message {number} (UID uid-{number}) was cut short by the server: {SIZE} of its {listed} octets"
        " arrived and were delivered."
        " The message stays on the server and is not retrieved again"
    )


def senseless(text: str, shown: str = "") -> Behaviour:
    return Behaviour(stat(text), f"the server's answer to STAT makes no sense: {shown or text}", ExitCode.PROTOCOL)


UIDS, SIZES = [f"{number} uid-{number}" for number in (1, 2, 3)], [f"{number} {SIZE}" for number in (1, 2, 3)]

BEHAVIOURS = {
    "STAT negative": senseless("-1 500"),
    "STAT with negative octets": senseless("3 -500"),
    "STAT huge": senseless("99999999999999999999 1"),
    "STAT with huge octets": senseless("3 99999999999999999999"),
    "STAT with more digits than can be": senseless("9" * 600 + " 1", "9" * 100 + "…"),
    "STAT garbled": senseless("three messages"),
    "STAT with other digits": senseless("\u0663 500"),
    "STAT empty": senseless("", ""),
    "STAT refused": Behaviour(
        {"STAT": b"-ERR no\r\n"}, "the server refuses STAT: no", ExitCode.PROTOCOL, "it is tried again"
    ),
    "STAT silent": Behaviour(
        {"STAT": SILENCE}, STALLED, ExitCode.TEMPORARY, seconds=TIMEOUT, broke_by_pipelining=STALLED
    ),
    "STAT cut": Behaviour(
        {"STAT": CUT},
        "the server closed the connection before its answer to STAT",
        ExitCode.TEMPORARY,
        broke_by_pipelining="the server closed the connection before its answer to STAT",
    ),
    "STAT of nothing": Behaviour(stat("0 0")),
    "STAT too low": Behaviour(stat("2 500"), delivered=2),
    "STAT too high": Behaviour(stat("5 500"), delivered=3, notes=unlisted(5, 3)),
    "LIST shorter": Behaviour({"LIST": rows(*SIZES[:2])}, delivered=2, notes=unlisted(3, 2)),
    "LIST longer": Behaviour({"LIST": rows(*SIZES, "4 1", "5 1")}, delivered=3),
    "LIST much longer": Behaviour(
        {"LIST": rows(*(f"{number} 1" for number in range(1, 30)))},
        "the server's answer to LIST has more than 19 rows",
        ExitCode.PROTOCOL,
    ),
    "LIST empty": Behaviour({"LIST": rows()}, notes=unlisted(3, 0)),
    "LIST twice": Behaviour({"LIST": rows(*SIZES, *SIZES)}, delivered=3),
    "LIST with wrong sizes": Behaviour(
        {"LIST": rows("1 0", "2 1", "3 99999")}, delivered=3, notes=[cut_short(3, 99999)], kept=("uid-3",)
    ),
    "LIST with huge sizes": Behaviour(
        {"LIST": rows(f"1 {2**62}", "2 1", f"3 {2**63}")}, delivered=3, notes=[cut_short(1, 2**62)], kept=("uid-1",)
    ),
    "LIST without usable sizes": Behaviour({"LIST": rows("1 %!d(float64=461)", "2 -1", "3")}, delivered=3),
    "LIST garbled": Behaviour({"LIST": rows("1 -5", "two 2", "\x003 4")}, delivered=1, notes=unlisted(3, 1)),
    "LIST refused": Behaviour({"LIST": b"-ERR no\r\n"}, "the server refuses LIST: no", ExitCode.PROTOCOL),
    "LIST with an overlong row": Behaviour(
        {"LIST": rows("1 " + "9" * 9000)},
        "the server's answer to LIST has an overlong row: 1 " + "9" * 38 + "…",
        ExitCode.PROTOCOL,
    ),
    "LIST without end": Behaviour(
        {"LIST": (b"+OK\r\n", endlessly(b"1 5\r\n" * 10000))},
        "the server's answer to LIST has more than 19 rows",
        ExitCode.PROTOCOL,
    ),
    "UIDL shorter": Behaviour({"UIDL": rows(*UIDS[:2])}, delivered=3),
    "UIDL longer": Behaviour({"UIDL": rows(*UIDS, "4 uid-4", "5 uid-5")}, delivered=3),
    "UIDL empty": Behaviour({"UIDL": rows()}, delivered=3),
    "UIDL of other numbers": Behaviour({"UIDL": rows("7 uid-1", "8 uid-2", "0 uid-3")}, delivered=3),
    "UIDL twice the same": Behaviour({"UIDL": rows("1 same", "2 same", "3 uid-3")}, delivered=3),
    "UIDL all the same": Behaviour({"UIDL": rows("1 same", "2 same", "3 same")}, delivered=3),
    "UIDL with two rows for a message": Behaviour({"UIDL": rows(*UIDS, "2 another")}, delivered=3),
    "UIDL overlong": Behaviour({"UIDL": rows(f"1 {'x' * 1001}", *UIDS[1:])}, delivered=3),
    "UIDL with a long row": Behaviour({"UIDL": rows(f"1 {'x' * 3000}", *UIDS[1:])}, delivered=3),
    "UIDL with an overlong row": Behaviour(
        {"UIDL": rows("1 " + "x" * 9000)},
        "the server's answer to UIDL has an overlong row: 1 " + "x" * 38 + "…",
        ExitCode.PROTOCOL,
    ),
    "UIDL with what no UID is made of": Behaviour({"UIDL": rows("1 a\tb", "2 \x1b[31m", "3 \x7f")}, delivered=3),
    "UIDL that are paths": Behaviour({"UIDL": rows("1 ../../x", "2 /etc/passwd", "3 .")}, delivered=3),
    "UIDL refused for now": Behaviour(
        {"UIDL": b"-ERR no\r\n"},
        "the server refuses UIDL: no, although it offers it",
        ExitCode.TEMPORARY,
    ),
    "UIDL without end": Behaviour(
        {"UIDL": (b"+OK\r\n", endlessly(b"1 uid\r\n" * 8000))},
        "the server's answer to UIDL has more than 19 rows",
        ExitCode.PROTOCOL,
    ),
    "UIDL without a line end": Behaviour(
        {"UIDL": (b"+OK\r\n", endlessly(b"x" * 60000))},
        "the server's answer to UIDL has an overlong row: " + "x" * 40 + "…",
        ExitCode.PROTOCOL,
    ),
    "UIDL never finished": Behaviour(
        {"UIDL": (b"+OK\r\n1 uid-1\r\n", SILENCE)},
        "the server has made no progress for 30 s",
        ExitCode.TEMPORARY,
        seconds=TIMEOUT,
    ),
}


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_the_listing(behaviour: Behaviour, pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    await prove(behaviour, tmp_path, pipelining=pipelining)


UNTRUSTED = {
    "the same": (rows("1 same", "2 same", "3 same"), rows("1 same", "2 same", "3 same")),
    "the same for two": (rows("1 same", "2 uid-2", "3 same"), rows("1 same", "2 uid-2", "3 same")),
    "another as well": (rows(*UIDS, "2 another"), rows("1 uid-1", "2 another", "2 uid-2", "3 uid-3")),
    "of no characters": (rows("1 \x01", "2 ", "3 uid-3"), rows("1 \x01", "2 ", "3 uid-3")),
}


@pytest.mark.parametrize(("first", "then"), UNTRUSTED.values(), ids=UNTRUSTED)
@trio_test
async def test_a_uid_that_says_nothing(first: bytes, then: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    """It counts as none, and what was delivered under it is known again by all of its octets."""
    before: Script = {"UIDL": first, "QUIT": b"-ERR no\r\n"}
    await prove(Behaviour({"UIDL": then}, before=before), tmp_path)


#: UIDs that RFC 1939 does not allow, as octets: each is known again.
OPAQUE = {
    "of 90 characters": b"x" * 90,
    "of 130 characters": b"x" * 130,
    "of 300 characters": b"x" * 300,
    "of 1,000 characters": b"x" * 1000,
    "in Latin-1": b"gr\xf6\xdfe",
    "in UTF-8": "größe".encode(),
    "of two words": b"two words",
    "like a size": b"size 243",
    "that ends in blanks": b"blanks \t ",
}


@pytest.mark.parametrize("uid", OPAQUE.values(), ids=OPAQUE)
@trio_test
async def test_a_uid_is_known_again(uid: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    listing = b"+OK\r\n1 uid-1\r\n2 " + uid + b"\r\n3 uid-3\r\n.\r\n"
    server = HostileServer(MAILS, {"UIDL": listing})
    service = Service(tmp_path, server)
    for retrieved in (3, 0):
        result = await service.run(preserve=True, new_only=True)
        assert (result.error, result.messages) == ("", retrieved)
    assert [verb for verb in server.verbs() if verb in ("RETR", "TOP", "DELE")] == []
    server.script = {"UIDL": listing.replace(uid, b"other")}
    result = await service.run(preserve=True, new_only=True)
    assert (result.error, result.messages) == ("", 1)
