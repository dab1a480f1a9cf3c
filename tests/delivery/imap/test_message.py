"""A message in the form that IMAP needs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from trio.testing import trio_test

from tui_popretr.delivery.imap.message import ImapMessage
from tui_popretr.delivery.spool import Spool

OWN = b"Received: from pop ([192.0.2.7])\r\n\tby host (x) with POP3\r\n\tfor <me>; Tue, 24 Nov 2026 00:00:00 +0000\r\n"
THEIRS = b"Received: by mx; Mon, 23 Nov 2026 08:27:59 +0200\r\n"
DATE = datetime.fromisoformat("2026-11-23T08:27:59+02:00")


def message(folder: Path, *parts: bytes, own_received: bool = True, spill: bool = False) -> ImapMessage:
    made = ImapMessage(7, "IMAP=INBOX", Spool(str(folder / "spool")), own_received=own_received)
    for part in parts:
        made.write(part)
        if spill:
            made.spill()
    made.finish()
    return made


async def content(made: ImapMessage) -> bytes:
    return b"".join([piece async for piece in made.pieces()])


@pytest.mark.parametrize("spill", [False, True])
@trio_test
async def test_line_ends_become_crlf(spill: bool, tmp_path: Path) -> None:
    made = message(tmp_path, b"a\r", b"\nb\n", b"c\rd\r", spill=spill)
    assert await content(made) == b"a\r\nb\r\nc\r\nd\r\n"
    assert made.content.octets == len(await content(made))
    made.abort()


@trio_test
async def test_an_empty_message_is_an_empty_line(tmp_path: Path) -> None:
    assert await content(message(tmp_path)) == b"\r\n"


@pytest.mark.parametrize(
    ("parts", "own", "date"),
    [
        ((OWN, THEIRS, b"\r\n"), True, DATE),
        ((OWN[:9], OWN[9:] + THEIRS), True, DATE),
        ((THEIRS, b"\r\n"), False, DATE),
        ((OWN, b"Date: Mon, 23 Nov 2026 08:27:59 +0200\r\n"), True, DATE),
        ((OWN, b"\r\n"), True, None),
        ((OWN[:-2],), True, None),
    ],
)
def test_its_date_is_that_of_the_server(
    parts: tuple[bytes, ...], own: bool, date: datetime | None, tmp_path: Path
) -> None:
    """Not that of our own Received field."""
    assert message(tmp_path, *parts, own_received=own).arrived == date


def test_nul_is_noticed(tmp_path: Path) -> None:
    assert not message(tmp_path, b"a\r\n").nul
    assert message(tmp_path, b"a\r\n", b"b\0c").nul
