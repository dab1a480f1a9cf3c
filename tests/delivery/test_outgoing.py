"""A message for a server or a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "spool"))


def content(message: OutgoingMessage) -> bytes:
    return b"".join(message.content.pieces())


def test_octets_are_kept_until_it_is_aborted(spool: Spool) -> None:
    message = OutgoingMessage(7, "Command=sh", spool)
    message.write(b"a\r\n")
    message.spill()
    message.write(b"b\r\n")
    assert (message.pending, message.content.octets, content(message)) == (3, 6, b"a\r\nb\r\n")
    message.abort()
    message.abort()
    assert (message.pending, content(message)) == (0, b"")


def test_it_has_no_path(spool: Spool) -> None:
    message = OutgoingMessage(7, "Command=sh", spool)
    assert (message.record_id, message.tmp, message.final) == (7, None, None)
    assert message.description == "Command=sh"


def test_octets_over_127_are_noticed(spool: Spool) -> None:
    message = OutgoingMessage(7, "Command=sh", spool)
    message.write(b"ascii\r\n")
    assert not message.eight_bit
    message.write("für\r\n".encode())
    message.write(b"ascii\r\n")
    assert message.eight_bit


def test_excluded_recipients_are_in_lower_case(spool: Spool) -> None:
    message = OutgoingMessage(7, "SMTP=[]", spool)
    message.exclude_recipients(["User1@Example.org"])
    assert message.have_it == {"user1@example.org"}


def test_delivered_to_is_removed(spool: Spool) -> None:
    message = OutgoingMessage(7, "SMTP=[]", spool, drop_delivered=True)
    for part in (b"Deliv", b"ered-To: a\r\n", b"Subject: x\r\nDelivered"):
        message.write(part)
    message.finish()
    assert content(message) == b"Subject: x\r\nDelivered"


def test_delivered_to_stays_if_it_is_not_to_be_removed(spool: Spool) -> None:
    message = OutgoingMessage(7, "Command=sh", spool)
    message.write(b"Delivered-To: a\r\n")
    message.finish()
    assert content(message) == b"Delivered-To: a\r\n"
