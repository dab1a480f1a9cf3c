"""Delivered-To fields removed from a header."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_popretr.mail.delivered_to import DeliveredToFilter


def filtered(*chunks: bytes) -> bytes:
    dropping = DeliveredToFilter()
    return b"".join([*map(dropping.feed, chunks), dropping.finish()])


def reference(message: bytes) -> bytes:
    """The same of a whole message: its lines one by one."""
    kept = b""
    dropping = False
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", message)
    for number, line in enumerate(lines):
        if not line.strip(b"\r\n"):
            return kept + b"".join(lines[number:])
        if line[:1] not in (b" ", b"\t"):
            name, colon, _ = line.partition(b":")
            blanks = len(name) - len(b"delivered-to")
            dropping = bool(colon) and name.rstrip(b" \t").lower() == b"delivered-to" and blanks <= 64
        if not dropping:
            kept += line
    return kept


FIELDS = [
    b"Delivered-To: me@home.test",
    b"delivered-to:me",
    b"DELIVERED-TO \t : me",
    b"Delivered-To:",
    b"Delivered-To" + b" " * 64 + b":",
    b"Delivered-To" + b" " * 65 + b":",
    b"Delivered-To",
    b"Delivered-To me:",
    b"Delivered-Tome: x",
    b"X-Delivered-To: x",
    b"Delivered: x",
    b"D",
    b"Subject: Delivered-To: x",
    b" folded Delivered-To: x",
    b"\tDelivered-To: x",
    b" ",
    b"From me Delivered-To:",
    b"\xff\x00: y",
    b"",
]
ENDS = [b"\r\n", b"\n", b"\r"]
messages = st.one_of(
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(ENDS)), max_size=8).map(
        lambda lines: b"".join(text + end for text, end in lines)
    ),
    st.lists(st.sampled_from([*FIELDS, *ENDS, b"\r\r\n", b"x"]), max_size=12).map(b"".join),
)


@given(messages, st.lists(st.integers(0, 200), max_size=12))
@example(b"Delivered-To: a\r\n b\r\nX: y\r\n\r\nDelivered-To: z\r\n", [])
@example(b"Delivered-To: a\r", [])
def test_in_any_chunks_it_is_as_in_one(message: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(message), *(cut for cut in cuts if cut < len(message))})
    chunks = [message[start:end] for start, end in pairwise(places)]
    assert filtered(*chunks) == reference(message)
    assert filtered(*(bytes((octet,)) for octet in message)) == reference(message)


@given(st.binary(max_size=300))
def test_octets_of_all_kinds(message: bytes) -> None:
    assert filtered(message) == reference(message) == message
    assert filtered(b"Delivered-To: x\r\n" + message.lstrip(b" \t")) == message.lstrip(b" \t")


@pytest.mark.parametrize("eol", ENDS)
def test_fields_go_with_their_folded_lines(eol: bytes) -> None:
    lines = [
        b"Delivered-To: first@home.test",
        b"Received: by x",
        b"\tfor y",
        b"DELIVERED-TO: two@home.test,",
        b" three@home.test",
        b"\t",
        b"Subject: Delivered-To: stays",
        b" Delivered-To: stays, too",
        b"delivered-to : last@home.test",
        b"  folded",
        b"",
        b"Delivered-To: in the text",
        b"",
    ]
    left = [*lines[1:3], *lines[6:8], *lines[10:]]
    assert filtered(eol.join(lines)) == eol.join(left)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n", b"\r"])
def test_a_header_without_a_body(end: bytes) -> None:
    assert filtered(b"A: b\r\nDelivered-To: x" + end) == b"A: b\r\n"
    assert filtered(b"Delivered-To: x" + end) == b""
    assert filtered(b"A: b\r\nDelivered-T" + end) == b"A: b\r\nDelivered-T" + end
    assert filtered(end) == end


def test_long_headers() -> None:
    long = b"References: " + b"\r\n ".join(b"<%070d@x.test>" % number for number in range(2000)) + b"\r\n"
    assert len(long) > 128 * 1024
    message = long + b"Delivered-To: " + b"x" * 70_000 + b"\r\n " + b"y" * 70_000 + b"\r\n" + long + b"\r\nbody\r\n"
    for size in (1, 13, 1000, 65536, len(message)):
        chunks = [message[at : at + size] for at in range(0, len(message), size)]
        assert filtered(*chunks) == long + long + b"\r\nbody\r\n"


def test_little_is_held() -> None:
    dropping = DeliveredToFilter()
    for octets in (b"x" * 10_000, b"\nDelivered-To" + b" " * 10_000, b"\nDelivered-To: " + b"y" * 10_000):
        dropping.feed(octets)
        assert len(dropping._held) <= 76
