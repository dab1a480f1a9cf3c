"""Dot-stuffing and TOP."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.popserver.multiline import dot_stuffed, top

#: What matters here: dots, CR, LF, and anything else.
_DATA = st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"x", b"\0"]), max_size=20).map(b"".join)


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def _unstuffed(wire: bytes) -> bytes:
    """What a client decodes, in the simple way: line by line at CRLF."""
    assert wire.endswith(b".\r\n")
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end:] == [b".", b""], "the terminator comes last and once"
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])


@settings(max_examples=300)
@given(_DATA, st.lists(st.integers(min_value=0), max_size=6))
def test_a_client_gets_back_what_was_stored(data: bytes, cuts: list[int]) -> None:
    complete = data if data.endswith(b"\r\n") or not data else data + b"\r\n"
    assert _unstuffed(b"".join(dot_stuffed(_split(data, cuts)))) == complete


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
        (b"a\n.b\r\n", b"a\n.b\r\n.\r\n"),
        (b"a\r.b\n", b"a\r.b\n\r\n.\r\n"),
        (b"..\r\n...\r\n", b"...\r\n....\r\n.\r\n"),
    ],
)
def test_only_crlf_begins_a_line(data: bytes, wire: bytes) -> None:
    assert b"".join(dot_stuffed([data])) == wire


@settings(max_examples=300)
@given(_DATA, st.integers(min_value=0, max_value=4), st.lists(st.integers(min_value=0), max_size=6))
def test_top_is_the_header_and_so_many_lines(data: bytes, lines: int, cuts: list[int]) -> None:
    header = re.match(rb"\r?\n|.*?\n\r?\n", data, re.DOTALL)
    if header is None:
        expected = data
    else:
        body = re.findall(rb"[^\n]*\n|[^\n]+\Z", data[header.end() :])
        expected = header.group() + b"".join(body[:lines])
    assert b"".join(top(_split(data, cuts), lines)) == expected
