"""The demo's mail: always the same, real to a parser, and with everything in it that mail can have."""

from __future__ import annotations

import email
import hashlib
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest

from tui_popretr.demo.mails import correspondence, huge_mail, mail
from tui_popretr.demo.texts import DOTTED

NEWEST = datetime(2026, 11, 23, 7, 27, 59, tzinfo=timezone(timedelta(hours=1)))


def _parsed(octets: bytes) -> EmailMessage:
    letter = email.message_from_bytes(octets, policy=default)
    assert isinstance(letter, EmailMessage)
    return letter


@pytest.fixture(scope="module")
def letters() -> list[bytes]:
    return correspondence("alice", 24, NEWEST)


def test_the_same_arguments_give_the_same_mail(letters: list[bytes]) -> None:
    assert correspondence("alice", 24, NEWEST) == letters
    assert len(set(letters)) == 24
    assert correspondence("bella", 1, NEWEST) != correspondence("carol", 1, NEWEST)


def test_a_parser_finds_nothing_wrong(letters: list[bytes]) -> None:
    for octets in letters:
        letter = _parsed(octets)
        assert [part.defects for part in letter.walk() if part.defects] == []
        assert letter["To"].addresses[0].addr_spec == "alice@example.org"
        assert letter["From"].addresses[0].display_name
        assert letter["Subject"]
        assert letter["Message-ID"]
        assert NEWEST - timedelta(days=20) < parsedate_to_datetime(letter["Date"]) <= NEWEST
        body = letter.get_body(("plain",))
        assert body is not None
        assert "Alice" in body.get_content()


def test_the_oldest_comes_first(letters: list[bytes]) -> None:
    dates = [parsedate_to_datetime(_parsed(octets)["Date"]) for octets in letters]
    assert dates == sorted(dates)


def test_lines_end_with_crlf_and_are_not_too_long(letters: list[bytes]) -> None:
    for octets in letters:
        lines = octets.split(b"\r\n")
        assert lines[-1] == b""
        assert not any(b"\r" in line or b"\n" in line for line in lines)
        assert max(map(len, lines)) <= 998  # RFC 5322 §2.1.1


def test_eight_in_a_row_bring_every_kind(letters: list[bytes]) -> None:
    eight = [_parsed(octets) for octets in letters[3:11]]
    kinds = {part.get_content_type() for letter in eight for part in letter.walk()}
    assert {"text/plain", "text/html", "image/png", "text/csv", "multipart/alternative"} <= kinds
    charsets = {part.get_content_charset() for letter in eight for part in letter.walk()}
    assert {"utf-8", "iso-8859-1"} <= charsets
    assert any(max(octets) > 127 for octets in letters[3:11])
    dotted = [octets for octets in letters[3:11] if all(f"\r\n{line}\r\n".encode() in octets for line in DOTTED)]
    assert len(dotted) == 1


def test_the_picture_is_a_png() -> None:
    letter = _parsed(mail("alice", 1, NEWEST))
    (picture,) = letter.iter_attachments()
    assert picture.get_filename() == "evening-sky.png"
    content = picture.get_content()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")


def test_the_huge_mail_has_the_size_it_announces() -> None:
    message = huge_mail("frank", 300_000, NEWEST)
    octets = b"".join(message.chunks())
    assert len(octets) == message.size
    assert abs(message.size - 300_000) < 100_000
    (table,) = _parsed(octets).iter_attachments()
    rows = table.get_content().split("\r\n")
    assert len(rows) > 2000
    assert rows[0].startswith("day-1T00:00,")
    again = huge_mail("frank", 300_000, NEWEST)
    assert hashlib.sha256(b"".join(again.chunks())).digest() == hashlib.sha256(octets).digest()


def test_the_huge_mail_is_never_whole_in_memory() -> None:
    assert max(map(len, huge_mail("frank", 5_000_000, NEWEST).chunks())) < 100_000
