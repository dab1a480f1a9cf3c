"""How a message begins: what is dropped, and whether a header may be added before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.mail.beginning import LIMIT, Beginning, read_beginning

AT_ONCE, NOTHING_BEFORE = Beginning(0, header=True), Beginning(0, header=False)
MBOX = b"From joe@example.test Wed Nov 23 11:38:42 2005"


def dropped(octets: int) -> Beginning:
    return Beginning(octets, header=True)


MESSAGES: dict[bytes, Beginning] = {
    b"Subject: one\r\n\r\ntext\r\n": AT_ONCE,
    b"X-1!#$%&'*+-.^_`|~: one\n": AT_ONCE,
    b"From: joe@example.test\r\n": AT_ONCE,
    b"From : joe@example.test\r\n": AT_ONCE,  # obsolete (RFC 5322 §4.5), and no mbox line
    b"From\t:\r\n": AT_ONCE,
    b"\r\nonly a body\r\n": AT_ONCE,
    b"\nonly a body\n": AT_ONCE,
    b"": AT_ONCE,
    MBOX + b"\r\nSubject: one\r\n": dropped(len(MBOX) + 2),
    MBOX + b"\nSubject: one\n": dropped(len(MBOX) + 1),
    b">" + MBOX + b"\r\nSubject: one\r\n": dropped(len(MBOX) + 3),
    b"From \r\nSubject: one\r\n": dropped(7),
    MBOX + b"\r\n\r\ntext\r\n": NOTHING_BEFORE,  # no header field follows
    MBOX + b"\r\n" + MBOX + b"\r\nSubject: one\r\n": NOTHING_BEFORE,
    MBOX + b"\r\n\tfolded\r\n": NOTHING_BEFORE,
    MBOX: NOTHING_BEFORE,
    MBOX + b"\r\n": NOTHING_BEFORE,
    b">>From joe\r\nSubject: one\r\n": NOTHING_BEFORE,
    b"\tfolded\r\nSubject: one\r\n": NOTHING_BEFORE,
    b" folded: x\r\nSubject: one\r\n": NOTHING_BEFORE,
    b"Message 2\r\nSubject: one\r\n": NOTHING_BEFORE,
    b": no name\r\n": NOTHING_BEFORE,
    b"\xc3\xbc: no ASCII\r\n": NOTHING_BEFORE,
    b"\r\r\n": NOTHING_BEFORE,
    b"word": NOTHING_BEFORE,
    b"+OK 120 octets\r\nSubject: one\r\n": NOTHING_BEFORE,
    b"A" * 10_000: NOTHING_BEFORE,
    b"A" * (LIMIT - 1) + b": x\r\n": AT_ONCE,
    b"A" * LIMIT + b": x\r\n": NOTHING_BEFORE,
    b"From " + b"x" * 10_000 + b"\r\nSubject: one\r\n": NOTHING_BEFORE,
}


@pytest.mark.parametrize(("message", "beginning"), MESSAGES.items())
def test_the_beginning(message: bytes, beginning: Beginning) -> None:
    assert read_beginning(message, ended=True) == beginning


@pytest.mark.parametrize("message", MESSAGES)
def test_it_is_the_same_however_it_arrives(message: bytes) -> None:
    """Byte by byte, it is decided once, and not before it is certain."""
    whole = read_beginning(message, ended=True)
    for end in range(len(message) + 1):
        early = read_beginning(message[:end])
        if early is not None:
            assert early == whole
            assert read_beginning(message[:end] + b"?: x\r\n", ended=True) == whole
            break
    else:
        assert len(message) <= 2 * LIMIT


@given(st.lists(st.sampled_from([b"From ", b">", b"a", b":", b" ", b"\t", b"\r", b"\n", b"\xff", b"Subject: x"])))
def test_any_beginning(parts: list[bytes]) -> None:
    message = b"".join(parts)
    whole = read_beginning(message, ended=True)
    assert whole is not None
    early = next((each for end in range(len(message)) if (each := read_beginning(message[:end])) is not None), whole)
    assert early == whole


@given(st.integers(2 * LIMIT, 3 * LIMIT), st.sampled_from([b"A", b"From ", b"From x\r\nA", b"From x\r\n", b"\r", b" "]))
def test_it_is_decided_within_bounds(size: int, beginning: bytes) -> None:
    assert read_beginning((beginning + b"A" * size)[:size]) is not None
