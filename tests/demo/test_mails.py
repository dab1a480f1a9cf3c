"""The demo's mail: always the same, and correct to a parser."""

from __future__ import annotations

import email
import hashlib
import struct
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest

from tui_popretr.demo.mails import huge_mail, mail

NEWEST = datetime(2026, 11, 23, 7, 27, 59, tzinfo=timezone(timedelta(hours=1)))


def _parsed(octets: bytes) -> EmailMessage:
    letter = email.message_from_bytes(octets, policy=default)
    assert isinstance(letter, EmailMessage)
    return letter


@pytest.fixture(scope="module")
def letters() -> list[bytes]:
    return [mail("alice", number, NEWEST) for number in range(1, 25)]


def test_the_same_arguments_give_the_same_mail(letters: list[bytes]) -> None:
    assert [mail("alice", number, NEWEST) for number in range(1, 25)] == letters
    assert len(set(letters)) == 24
    assert mail("bella", 1, NEWEST) != mail("carol", 1, NEWEST)


def test_a_parser_finds_nothing_wrong(letters: list[bytes]) -> None:
    for octets in letters:
        letter = _parsed(octets)
        assert [part.defects for part in letter.walk() if part.defects] == []
        assert letter["To"].addresses[0].addr_spec == "alice@example.org"
        assert letter["From"].addresses[0].display_name
        assert letter["Subject"]
        assert letter["Message-ID"]
        assert parsedate_to_datetime(letter["Date"]) == NEWEST
        body = letter.get_body(("plain",))
        assert body is not None
        assert "Best wishes" in body.get_content()


def test_lines_end_with_crlf_and_are_not_too_long(letters: list[bytes]) -> None:
    for octets in letters:
        lines = octets.split(b"\r\n")
        assert lines[-1] == b""
        assert not any(b"\r" in line or b"\n" in line for line in lines)
        assert max(map(len, lines)) <= 998  # RFC 5322 §2.1.1


def test_three_in_a_row_give_every_kind(letters: list[bytes]) -> None:
    three = [_parsed(octets) for octets in letters[4:7]]
    kinds = {part.get_content_type() for letter in three for part in letter.walk()}
    assert {"text/plain", "text/html", "image/bmp", "multipart/alternative"} <= kinds


def test_text_is_sent_in_8_bits(letters: list[bytes]) -> None:
    assert any(max(octets) > 127 for octets in letters[4:7])


def test_the_picture_is_a_bitmap() -> None:
    (picture,) = _parsed(mail("alice", 1, NEWEST)).iter_attachments()
    assert picture.get_filename() == "evening-sky.bmp"
    content = picture.get_content()
    magic, size, start = struct.unpack_from("<2sI4xI", content)
    header, width, height, planes, bits = struct.unpack_from("<IiiHH", content, 14)
    assert (magic, size, header, planes, bits) == (b"BM", len(content), 40, 1, 24)
    assert start + 3 * width * height == size


def test_the_huge_mail_has_its_announced_size() -> None:
    message = huge_mail("frank", 300_000, NEWEST)
    octets = b"".join(message.chunks())
    assert len(octets) == message.size
    assert abs(message.size - 300_000) < 100_000
    (table,) = _parsed(octets).iter_attachments()
    rows = table.get_content().split("\r\n")
    assert len(rows) > 2000
    assert rows[0].startswith("00:00,")
    again = huge_mail("frank", 300_000, NEWEST)
    assert hashlib.sha256(b"".join(again.chunks())).digest() == hashlib.sha256(octets).digest()


def test_the_huge_mail_is_generated_in_pieces() -> None:
    assert max(map(len, huge_mail("frank", 5_000_000, NEWEST).chunks())) < 100_000
