"""A delivered message read back: where its file is now, what of it is shown, and that nothing of it can do harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.nasty import NASTY, TOO_DEEP
from tui_popretr.ui.model.mailfile import BEGINNING, Excerpt, MessageGone, excerpt, locate, read

PLAIN = b"From: a@example.net\r\nSubject: hello\r\n\r\nfirst\r\n\tsecond\r\n"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for folder in ("tmp", "new", "cur"):
        (tmp_path / folder).mkdir()
    return tmp_path


def of(raw: bytes) -> Excerpt:
    return excerpt("/path", raw, cut=False)


def fields(raw: bytes) -> dict[str, str]:
    return dict(of(raw).header)


def test_a_message_where_it_was_delivered(maildir: Path) -> None:
    path = maildir / "new" / "1.M2P3.host"
    path.write_bytes(PLAIN)
    assert read(str(path)) == Excerpt(
        str(path), (("From", "a@example.net"), ("Subject", "hello")), ("first", "        second"), ""
    )


@pytest.mark.parametrize("name", ["1.M2P3.host:2,S", "1.M2P3.host:2,", "1.M2P3.host"])
def test_a_message_that_a_mail_reader_has_moved(maildir: Path, name: str) -> None:
    moved = maildir / "cur" / name
    moved.write_bytes(PLAIN)
    (maildir / "cur" / "1.M2P3.host9:2,S").write_bytes(b"another")
    assert locate(str(maildir / "new" / "1.M2P3.host")) == str(moved)
    assert read(str(maildir / "new" / "1.M2P3.host")).path == str(moved)


def test_a_message_that_is_gone(maildir: Path) -> None:
    with pytest.raises(MessageGone, match="not there any more"):
        read(str(maildir / "new" / "1.M2P3.host"))
    with pytest.raises(MessageGone, match="not there any more"):
        read(str(maildir / "message.eml"))
    (maildir / "cur").rmdir()
    with pytest.raises(MessageGone, match="not there any more"):
        read(str(maildir / "new" / "1.M2P3.host"))


def test_what_is_not_a_file_is_not_read(maildir: Path) -> None:
    os.mkfifo(maildir / "pipe")
    with pytest.raises(MessageGone, match="it is a pipe, not a regular file"):
        read(str(maildir / "pipe"))
    with pytest.raises(MessageGone, match="cannot read the file"):
        read(str(maildir / "new"))


def test_only_the_beginning_of_a_large_message_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.eml"
    path.write_bytes(b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n")
    assert read(str(path)).note == ""
    path.write_bytes(b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (BEGINNING // 16))
    large = read(str(path))
    assert large.note == "only its beginning is shown"
    assert len(large.lines) <= 400


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"Subject: =?utf-8?q?J=C3=BCrgen?= says", "Jürgen says"),
        (b"Subject: =?iso-8859-1?q?caf=E9?= =?utf-8?b?4oKs?=", "café€"),
        (b"Subject: folded\r\n line", "folded line"),
        (b"Subject: \xc3\xbc raw", "ü raw"),
        (b"Subject: \xfc raw", "\ufffd raw"),
        (b"Subject: =?no-such-charset?q?x?=", "=?no-such-charset?q?x?="),
        (b"Subject: =?utf-8?b?AAAAA?=", "=?utf-8?b?AAAAA?="),
        (b"Subject: =?utf-8?q?=1B[31mred?=", "\\x1b[31mred"),
        (b"Subject: \x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"Subject: =?utf-8?b?4oCu?= abc", "\\u202e abc"),
    ],
)
def test_fields_are_decoded_and_neutralised(line: bytes, shown: str) -> None:
    assert fields(line + b"\r\n\r\nbody")["Subject"] == shown


def test_the_plain_text_of_a_multipart_message() -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>no</b>\r\n"
        b"--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"caf=E9 =1B[2J\r\n--x--\r\n"
    )
    assert of(raw).lines == ("café \\x1b[2J",)
    assert of(raw).note == "shown is the text/plain part; other parts: text/html"


def test_an_attachment_that_is_cut_off(tmp_path: Path) -> None:
    begin = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--x\r\nContent-Type: application/pdf; name==?utf-8?q?=C3=9Cbersicht_2026.pdf?=\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    path = tmp_path / "large.eml"
    path.write_bytes(begin + b"AAAA\r\n" * BEGINNING + b"--x--\r\n")
    found = read(str(path))
    assert found.lines == ("hello",)
    assert found.note == "shown is the text/plain part; other parts: Übersicht 2026.pdf (application/pdf)"


def test_a_text_behind_an_attachment_is_cut_off(tmp_path: Path) -> None:
    begin = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: image/png\r\n\r\n.\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\n"
    )
    path = tmp_path / "large.eml"
    path.write_bytes(begin + (b"x" * 900 + b"\r\n") * (BEGINNING // 900 + 2) + b"--x--\r\n")
    assert read(str(path)).note.endswith("other parts: image/png; only its beginning is shown")


def test_html_where_there_is_nothing_else() -> None:
    raw = b"Content-Type: text/html\r\n\r\n<b>yes</b>\r\n"
    assert of(raw).lines == ("<b>yes</b>",)
    assert of(raw).note == "shown is the text/html part"


def test_a_message_without_text() -> None:
    raw = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    assert of(raw).lines == ()
    assert of(raw).note == "no text in it, only application/pdf"


def harmless(shown: Excerpt) -> bool:
    """Whether nothing in it can do anything to a terminal."""
    parts = [*shown.lines, shown.note, shown.problem, *(name + value for name, value in shown.header)]
    return not any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in "".join(parts))


@pytest.mark.parametrize("name", NASTY)
def test_of_a_nasty_message_at_least_the_header_is_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: nasty\r\n" + NASTY[name])
    shown = read(str(path))
    assert shown.header[0] == ("Subject", "nasty")
    assert harmless(shown)
    too_deep = "this message cannot be shown: it is nested too deeply"
    assert shown.problem == (too_deep if name in TOO_DEEP else "")


_BLANK = [b"\r\n", b"\r\n\r\n", b" ", b"--x\r\n", b"--x--\r\n"]
_FIELDS = [
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: text/html; charset=",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Subject: =?utf-8?b?",
    b"utf-7",
    b"idna",
    b"punycode",
    b"unicode_escape",
    b"undefined",
    b"?=",
]


@given(st.lists(st.sampled_from([*_BLANK, *_FIELDS]) | st.binary(max_size=20), max_size=60).map(b"".join))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of codecs that are not for mail
def test_any_message_is_shown_in_some_way(raw: bytes) -> None:
    assert harmless(of(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"\x00\xff" * 100,
        b"no header at all",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff text",
        b'Content-Type: text/plain; charset="\x1b"\r\n\r\n\xff text',
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n====\xff",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 500,
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text",
        b"Subject: " + b"=?utf-8?q?" * 500 + b"\r\n\r\n",
        b"\x1b: x\r\n\r\n",
    ],
)
def test_nothing_that_a_stranger_sends_breaks_it(raw: bytes) -> None:
    shown = of(raw)
    text = "".join([*shown.lines, shown.note, *(name + value for name, value in shown.header)])
    assert not [character for character in text if ord(character) < 32 or 0x7F <= ord(character) < 0xA0]
