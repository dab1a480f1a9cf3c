"""DATA's form of a message: nothing in it can pass for its end, and what arrives is what was sent."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.smtp.encoding import END, DataEncoder


def encoded(*chunks: bytes) -> bytes:
    encoder = DataEncoder()
    return b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.finish()])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"Subject: x\r\n\r\ntext\r\n", b"Subject: x\r\n\r\ntext\r\n"),
        (b"no end", b"no end\r\n"),
        (b"", b"\r\n"),
        (b"\r\n", b"\r\n"),
        (b".", b"..\r\n"),
        (b".\r\n..\r\n", b"..\r\n...\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nMAIL", b"a\r\n..\r\nMAIL\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n"),
        (b"a\r", b"a\r\n"),
        (b"a\r\n.\r", b"a\r\n..\r\n"),
        (b"nul \0 and \xe9\xff stay\r\n", b"nul \0 and \xe9\xff stay\r\n"),
    ],
)
def test_forms(message: bytes, expected: bytes) -> None:
    assert encoded(message) == expected
    for at in range(len(message) + 1):
        assert encoded(message[:at], message[at:]) == expected
    assert encoded(*(bytes([octet]) for octet in message)) == expected


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"x", b"\0"]), max_size=30), st.data())
def test_however_it_comes(parts: list[bytes], data: st.DataObject) -> None:
    message = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(message)), max_size=6)))
    sent = encoded(*(message[start:end] for start, end in pairwise([0, *cuts, len(message)])))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", sent), "a line end of another kind"
    assert sent.endswith(b"\r\n")
    assert not sent.startswith(END)
    assert b"\r\n" + END not in sent, "an end before the end"
    # what a receiver makes of it (RFC 5321 §4.5.2)
    arrived = b"".join(line.removeprefix(b".") for line in sent.splitlines(keepends=True))
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    assert arrived == (expected if expected.endswith(b"\r\n") else expected + b"\r\n")
