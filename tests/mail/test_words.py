"""Encoded words and stray octets."""

from __future__ import annotations

import encodings
from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.mail.header import FIELD_LIMIT, SHOWN_LIMIT
from tui_popretr.mail.headline import Headline, name, read_headline
from tui_popretr.mail.words import decoded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?w6TDtsO8?=", "äöü"),
        (b"=?ISO-8859-1?Q?a_b=E4?= c", "a bä c"),
        (b"x =?utf-8?q?a?= =?utf-8?q?b?= y", "x ab y"),
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?B?w6Q=?=  =?iso-8859-1?q?=F6?=", "äö"),
        (b"=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"),  # a character torn between two words
        (b"=?utf-8?B?4oKs?=tail", "€tail"),
        (b"=?utf-8*de?q?=C3=BC?=", "ü"),
        (b"=?utf-8?B?4oKs", "=?utf-8?B?4oKs"),
        (b"=?utf-8?B?!!a?= =?utf-8?q?b?=", "=?utf-8?B?!!a?= b"),
        (b"=?utf-8?q?a?= =?utf-8?B?a?= =?utf-8?q?b?=", "a =?utf-8?B?a?= b"),
        (b"=?utf-8?B?w6TDtsM=?=", "äö\N{REPLACEMENT CHARACTER}"),  # cut in the middle of a character
        (b"=?utf-8?B?w6TDt?=", "=?utf-8?B?w6TDt?="),
        (b"=?us-ascii?q?=e4?=", "ä"),
        (b"=?no-such-charset?q?=c3=a4?=", "ä"),
        (b"=?idna?q?a=e4?=", "aä"),
        (b"=?rot13?q?nop?=", "nop"),
        (b"=?tactis?q?a?=", "a"),  # an alias of Python's without a codec
        (b"=?gb2312?B?w/fM7A==?=", "明天"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?koi8-r?B?8NLJ18XU?=", "Привет"),
        (b"=?us-ascii?q?=c3=a4?=", "ä"),
        ("ä".encode(), "ä"),
        ("ä".encode("latin-1"), "ä"),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=??q?a?= =?utf-8?x?a?=", "=??q?a?= =?utf-8?x?a?="),
    ],
)
def test_a_value_and_its_text(value: bytes, text: str) -> None:
    assert decoded(value) == text


@given(
    st.text(st.characters(blacklist_categories=("Cs", "Cc"))),
    st.sampled_from(["utf-8", "utf-16", "iso-8859-1", "big5"]),
)
def test_what_python_encodes(text: str, charset: str) -> None:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    header = Header(text, charset, maxlinelen=10_000).encode(linesep="")
    assert decoded(header.encode()) == text or charset == "iso-8859-1" or "=?" in text


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"=?", b"?=", b"utf-8", b"?q?", b"?B?", b"=", b" ", b"w6Q"])).map(b"".join)
)
def test_nothing_fails(value: bytes) -> None:
    decoded(value)
    name(value)
    header = b"\nSubject: " + value + b"\nFrom: " + value
    read_headline(header, header.lower())


def test_ten_thousand_encoded_words_are_cut() -> None:
    header = b"\nSubject: " + b"\n ".join([b"=?x-%d?q?word?=" % number for number in range(10_000)])
    known = len(encodings._cache)
    subject = read_headline(header, header.lower()).subject
    assert subject is not None
    assert subject.startswith("wordword")
    assert len(subject) <= min(FIELD_LIMIT, SHOWN_LIMIT + 1)
    assert len(encodings._cache) == known, "Python remembers each charset that it was asked for"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"Ann <a@b>", "Ann"),
        (b'"Doe, Ann" <a@b>', "Doe, Ann"),
        (b'"A \\"x\\" B" <a@b>', 'A "x" B'),
        (b"=?utf-8?q?=C3=84nn?= Doe <a@b>", "Änn Doe"),
        (b'"=?utf-8?q?=C3=84nn?=" <a@b>', "Änn"),
        (b"=?utf-8?q?Doe,_Ann?= <a@b>", "Doe, Ann"),
        (b"a@b (Ann)", "Ann"),
        (b"Ann (at (home)) <a@b>", "Ann"),
        (b"a@b", None),
        (b"<a@b>", None),
        (b"Team: Ann <a@b>;", "Ann"),
        (b"a@b, Ann <c@d>", None),
        (b"", None),
    ],
)
def test_the_name_with_an_address(value: bytes, shown: str | None) -> None:
    assert name(value) == shown


def test_a_headline() -> None:
    header = b"\nFrom: Ann <a@b>\nSubject: =?utf-8?q?a=1b[31m_b?=\n  c\nSender: x@y"
    assert read_headline(header, header.lower()) == Headline("a@b", "Ann", "a\\x1b[31m b c")
    header = b"\nSender: X <x@y>\nSubject:"
    assert read_headline(header, header.lower()) == Headline("x@y", "X", None)
    assert read_headline(b"\n", b"\n") == Headline()
