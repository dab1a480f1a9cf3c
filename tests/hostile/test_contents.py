"""What can be in a message, and how it can come: it arrives as it was sent, octet for octet."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove
from tests.hostile.script import Script, part, rest, segments
from tests.support.worlds import mail

EACH_WAY = pytest.mark.parametrize("pipelining", [False, True])
LINES = b"".join(b"X-%d: line\r\n" % number for number in range(100_000))

BODIES = {
    "NUL": b"a\0b\r\n\0\r\n",
    "bare CR": b"one\rtwo\r\r\n\rthree\r.\r\n",
    "bare LF": b"one\ntwo\n\nthree\n.\r\n",
    "ends that are none": b"a\n.\nb\r.\rc\n.\r\nd\r\n.\ne\r\n..\r\n. \r\n.\r\r\n",
    "dots": b".\r\n..\r\n...\r\n.a\r\n",
    "every octet": bytes(range(256)) + b"\r\n",
    "escape sequences": b"\x1b]0;owned\x07\x1b[2J\x9b31m\r\n",
    "a line of 10 MB": b"x" * 10_000_000 + b"\r\n",
    "a line of 10 MB of dots": b"." * 10_000_000 + b"\r\n",
    "nothing but line ends": b"\r\n" * 50_000,
    "a session": b"+OK\r\n-ERR\r\n.\r\nRETR 1\r\nQUIT\r\n+OK bye\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@trio_test
async def test_the_body(body: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    mails = MAILS | {"uid-2": mail(2, body)}
    await prove(Behaviour({}, delivered=3, mails=mails, sends=11_000_000), tmp_path)


HEADERS = {
    "nothing at all": b"",
    "none": b"\r\nbody\r\n",
    "100,000 lines": LINES + b"\r\nbody\r\n",
    "100,000 lines, and nothing else": LINES,
    "a line of 10 MB": b"Subject: " + b"x" * 10_000_000 + b"\r\n\r\nbody\r\n",
    "a Message-ID of 1 MB": b"Message-ID: <" + b"x" * 1_000_000 + b"@y>\r\n\r\nbody\r\n",
    "folded 100,000 times": b"From: a\r\n" + b" b\r\n" * 100_000 + b"\r\nbody\r\n",
    "brackets 100,000 deep": b"From: " + b"(" * 100_000 + b"\r\n\r\nbody\r\n",
    "escape sequences": b"From: \x1b[31m@\x9by\r\nMessage-ID: <\x1b]0;owned\x07@y>\r\nDate: \x1b[2J\r\n\r\nbody\r\n",
    "log lines": b"Message-ID: <a\rid1-1 >> STAT\x0b\x85\xe2\x80\xa8y@z>\r\nFrom: a\n2026 Downloaded\r\n\r\nbody\r\n",
    "no line end": b"Subject\r\n",
    "not UTF-8": b"From: \xff\xfe\r\nSubject: \xc3\r\n\r\n\xed\xa0\x80\r\n",
}


@pytest.mark.parametrize("message", HEADERS.values(), ids=HEADERS)
@trio_test
async def test_the_header(message: bytes, tmp_path: Path, autojump_clock: MockClock) -> None:
    mails = MAILS | {"uid-2": message}
    await prove(Behaviour({}, delivered=3, mails=mails, sends=11_000_000), tmp_path)


@EACH_WAY
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
@trio_test
async def test_it_comes_in_small_segments(
    size: int, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Down to one octet each, so that the end is split in every way."""
    script: Script = {"RETR": segments(size), "UIDL": segments(size), "LIST": segments(size), "CAPA": segments(size)}
    mails = MAILS | {"uid-2": mail(2, b"\r\n.\r\n..\r\n\r\r\n.\n.\r\n")}
    await prove(Behaviour(script, delivered=3, mails=mails, seconds=1.5 / size), tmp_path, pipelining=pipelining)


@pytest.mark.parametrize("left", range(1, 6))
@trio_test
async def test_the_end_is_split(left: int, tmp_path: Path, autojump_clock: MockClock) -> None:
    """CR LF . CR LF comes in two segments, with seconds between them."""
    script: Script = {"RETR 2": (part(-left), 9.0, rest(-left))}
    await prove(Behaviour(script, delivered=3, seconds=9.0), tmp_path)
