"""A message is known again, however it is cut, and whatever a server does to its flags."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.mail.header import address
from tui_popretr.mail.identity import HEADER_LIMIT, Identity, IdentityHasher

HEADER = (
    b"From: Alice <alice@example.test>\r\nMessage-ID: <m1@example.test>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0000\r\n"
)
MESSAGE = HEADER + b"\r\nbody\r\n\r\nFrom: nobody\r\n"


def hasher(*chunks: bytes, whole: bool = False) -> IdentityHasher:
    made = IdentityHasher(whole=whole)
    for chunk in chunks:
        made.update(chunk)
    return made


def header(*chunks: bytes) -> Identity:
    return hasher(*chunks).header()


def test_the_header_tells_what_is_needed() -> None:
    made = hasher(MESSAGE)
    assert made.header()[1:] == (False, "m1@example.test", "Mon, 23 Nov 2026 07:27:59 +0000", False)
    assert made.headline.sender == "alice@example.test"


def test_the_body_is_no_part_of_it() -> None:
    assert header(MESSAGE) == header(HEADER + b"\r\nanother body\r\n")


def test_any_octet_of_the_header_is() -> None:
    assert header(MESSAGE).digest != header(b"X: y\r\n" + MESSAGE).digest
    assert header(MESSAGE).digest != header(MESSAGE.replace(b"Alice", b"alice")).digest


@pytest.mark.parametrize("top", [HEADER, HEADER + b"\r\n", HEADER + b"\r\n\r\n"])
def test_top_gives_what_retr_gave(top: bytes) -> None:
    assert header(top) == header(MESSAGE)


@given(st.lists(st.integers(0, len(MESSAGE)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(MESSAGE)]
    chunks = [MESSAGE[a:b] for a, b in pairwise(places)]
    made = hasher(*chunks, whole=True)
    assert made.header() == header(MESSAGE)
    assert made.whole().digest == sha256(MESSAGE).digest()


@pytest.mark.parametrize(
    "flags",
    [
        b"Status: RO\r\n",
        b"X-Status: A\r\n",
        b"X-UIDL: abc\r\n",
        b"STATUS : RO\r\n",
        b"x-uidl: a\r\n b\r\n\tc\r\n",
        b"Status: O\r\nX-Status: F\r\nX-UIDL: 1\r\n",
    ],
)
def test_flags_that_servers_change_are_left_out(flags: bytes) -> None:
    for changed in (flags + MESSAGE, HEADER + flags + b"\r\nbody\r\n", HEADER + flags):
        assert header(changed) == header(MESSAGE)


@pytest.mark.parametrize("field", [b"Status-Report: x\r\n", b"X-Status-2: x\r\n", b"Subject: a\r\n Status: RO\r\n"])
def test_fields_that_only_look_like_them_are_not(field: bytes) -> None:
    assert header(field + MESSAGE).digest != header(MESSAGE).digest


def test_bare_lf_messages_have_a_header_too() -> None:
    made = hasher(b"Message-ID: <m2>\nFrom: a@b\n\nFrom: c@d\n\r\n")
    assert made.header().message_id == "m2"
    assert made.headline.sender == "a@b"


def test_a_message_without_a_header() -> None:
    assert header(b"\r\nFrom: a@b\r\n") == header(b"\r\n") == Identity(sha256(b"").digest(), False, None, None)


def test_a_message_that_is_all_header() -> None:
    assert header(HEADER, b"Subject: x\r\n").message_id == "m1@example.test"


def test_only_the_first_64_kib_count() -> None:
    long = HEADER + b"X-Filler: " + b"y" * HEADER_LIMIT
    assert header(long) == header(long + b"z" * 10, b"more") == header(long[:50], long[50:], b"zzz")
    assert header(long).message_id == "m1@example.test"


def test_fields_may_be_folded_and_oddly_spaced() -> None:
    made = hasher(b"MESSAGE-id:\r\n\t<m3@x>\r\nDate :  Mon,\r\n 23 Nov\r\nFrom:\r\n Alice\r\n <a@b>\r\n\r\n")
    assert made.header()[2:4] == ("m3@x", "Mon, 23 Nov")
    assert made.headline.sender == "a@b"


def test_the_first_of_several_counts() -> None:
    assert header(b"Message-ID: <a>\r\nMessage-ID: <b>\r\n\r\n").message_id == "a"


def test_absent_or_empty_is_none() -> None:
    made = hasher(b"Message-ID:\r\nDate: \r\nFrom: <>\r\nX-From: a@b\r\nMessage-IDs: x\r\n\r\n")
    assert (made.header().message_id, made.header().date, made.headline.sender) == (None, None, None)


def test_what_is_shown_is_bounded_and_harmless() -> None:
    made = hasher(b"Message-ID: \x1b[2J\0" + b"x" * 5000 + b"\r\nFrom: \x1b]0;\x07" + b"y" * 5000 + b"\r\n\r\n")
    for text in (made.header().message_id, made.headline.sender):
        assert text is not None
        assert text.isprintable()
        assert len(text) < 400


def test_the_whole_must_be_asked_for() -> None:
    with pytest.raises(ValueError):
        hasher(MESSAGE).whole()
    assert hasher(MESSAGE, whole=True).whole()[1:] == (True, *header(MESSAGE)[2:])


def test_from_goes_before_sender() -> None:
    assert hasher(b"Sender: s@x\r\nFrom: f@x\r\n\r\n").headline.sender == "f@x"
    assert hasher(b"Sender: s@x\r\nFrom: hidden:;\r\n\r\n").headline.sender == "s@x"


ADDRESSES = {
    "from1": "from1",
    "alice@example.test": "alice@example.test",
    "Alice Example <alice@example.test>": "alice@example.test",
    '"Example, Alice" <alice@example.test>': "alice@example.test",
    '"a \\" <x@y>, b" <alice@example.test>': "alice@example.test",
    "alice@example.test (Alice (of Example) <x@y>)": "alice@example.test",
    "(first) alice@example.test": "alice@example.test",
    '"john doe"@example.test': '"john doe"@example.test',
    "<@relay.test,@other.test:alice@example.test>": "alice@example.test",
    "a@x, b@x": "a@x",
    ", , a@x": "a@x",
    "Friends: a@x, b@x;": "a@x",
    "Friends: Alice <a@x>;": "a@x",
    "hidden:;": None,
    "<>": None,
    "": None,
    "   ": None,
    "=?utf-8?q?=22Ali=3Ce=22?= <alice@example.test>": "alice@example.test",
    "=?utf-8?b?PHhAeT4=?=": "=?utf-8?b?PHhAeT4=?=",
    "alice@[IPv6:2001:db8::1]": "alice@[IPv6:2001:db8::1]",
    "Alice <alice@example.test": "alice@example.test",
    '"unclosed <a@x>': "a@x",
    "MAILER-DAEMON": "MAILER-DAEMON",
    "alice @ example.test": "alice @ example.test",
    "Älice <ä@example.test>": "ä@example.test",
}


@pytest.mark.parametrize(("value", "expected"), ADDRESSES.items())
def test_addresses(value: str, expected: str | None) -> None:
    assert address(value.encode()) == expected


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_field_gives_an_address_or_none(value: bytes) -> None:
    found = address(value)
    assert found is None or (found and len(found) <= 330)


@given(st.text(alphabet='"\\()<>,:;[] a@', max_size=2048))
@settings(max_examples=50, deadline=500)
def test_no_field_takes_long(value: str) -> None:
    address(value.encode())
