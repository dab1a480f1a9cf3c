"""Message bodies: the end is CR LF . CR LF and nothing else, and all else arrives as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pieces import cuts
from tui_popretr.pop3 import BodyChunk, BodyEnd, Event, Listing, Machine, Noop, Reply, Retr, Uidl

from .dialogue import feed, logged_in

STATUS = b"+OK\r\n"


def retrieving(count: int = 1) -> Machine:
    machine = logged_in()
    machine.send_many([Retr(i + 1) for i in range(count)])
    return machine


def body_of(events: list[Event]) -> bytes | None:
    """Return the message among events, None while it is not complete."""
    data = b"".join(event.data for event in events if isinstance(event, BodyChunk))
    ends = [event for event in events if isinstance(event, BodyEnd)]
    if not ends:
        return None
    assert [end.octets for end in ends] == [len(data)]
    return data


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n"),
        (b"a\r\n..\r\n..\r\n.\r\n", b"a\r\n.\r\n.\r\n"),
        (b"..x\r\n..x\r\n.\r\n", b".x\r\n.x\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"a..\r\n.b..\r\n.\r\n", b"a..\r\nb..\r\n"),
        (b"\n.\n\r\n.\r\n", b"\n.\n\r\n"),
        (b"a\n.\r\n\r\n.\r\n", b"a\n.\r\n\r\n"),
        (b"a\n.\r\n.\r\n", b"a\n.\r\n"),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n"),
        (b"a\r.\r\n.\r\n", b"a\r.\r\n"),
        (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\r\n"),
        (b"a\r\n\r.\r\n.\r\n", b"a\r\n\r.\r\n"),
        (b"a\n\r\n.\r\n", b"a\n\r\n"),
        (b".\n\r\n.\r\n", b"\n\r\n"),
        (b".\r\r\n.\r\n", b"\r\r\n"),
        (b".\rx\r\n.\r\n", b"\rx\r\n"),
        (b".x\r\n.\r\n", b"x\r\n"),
        (b"\0\r\n\xff\x80\r\n.\r\n", b"\0\r\n\xff\x80\r\n"),
        (b"\r\r\r\n.\r\n", b"\r\r\r\n"),
        (b"\n\n\n\r\n.\r\n", b"\n\n\n\r\n"),
    ],
)
def test_bodies(sent: bytes, body: bytes) -> None:
    for status in (STATUS, b"+OK\n"):
        for pieces in cuts(status + sent):
            machine = retrieving()
            events, error = feed(machine, pieces)
            assert error is None
            assert body_of(events) == body
            assert machine.buffered == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b".",
        b".\r",
        b".\n",
        b"a\n.\n",
        b"a\r\n.\n",
        b"a\n.\r\n",
        b"a\r.\r\n",
        b"a\r\n.\r",
        b"a\r\n.\r\r",
        b"\r\n..\r\n",
    ],
)
def test_what_is_no_end(sent: bytes) -> None:
    for pieces in cuts(STATUS + sent):
        machine = retrieving()
        events, error = feed(machine, pieces)
        assert error is None
        assert body_of(events) is None
        assert machine.answering


def test_the_end_is_found_wherever_it_is_torn() -> None:
    whole = STATUS + b"first\r\n.\r\n" + STATUS + b"..second\r\n.\r\n"
    expected = feed(retrieving(2), [whole])
    for i in range(len(whole)):
        for j in range(i, len(whole)):
            assert feed(retrieving(2), [whole[:i], whole[i:j], whole[j:]]) == expected


def test_listings_are_unstuffed_too() -> None:
    for pieces in cuts(STATUS + b"..1 a\r\n2 b\r\n..\r\n.\r\n"):
        machine = logged_in()
        machine.send(Uidl())
        events, error = feed(machine, pieces)
        assert error is None
        assert events[1:] == [Listing(Uidl(), b".1 a\r\n2 b\r\n.\r\n")]


def test_lf_form_of_canonical_chunks() -> None:
    body = b"a\r\nb\nc\r\nd\re\r\n" * 3
    for pieces in cuts(STATUS + body + b".\r\n"):
        machine = retrieving()
        chunks = [event for piece in pieces for event in machine.receive(piece) if isinstance(event, BodyChunk)]
        lf = b"".join(c.data.replace(b"\r", b"") if c.canonical else c.data.replace(b"\r\n", b"\n") for c in chunks)
        assert lf == body.replace(b"\r\n", b"\n")


def stuffed(body: bytes) -> bytes:
    """Put a message on the wire as RFC 1939 §3 says."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", body) + b".\r\n"


# bodies whose every corner is one
FRAGMENTS = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b".", b"..", b"\r\n.", b"\r\n.\r\n", b"x", b"\0", b"\xff", b"abc\r\n"]
)
BODIES = st.lists(FRAGMENTS, max_size=12).map(lambda parts: b"".join([*parts, b"\r\n"]) if parts else b"")


@settings(max_examples=300)
@given(st.lists(BODIES, min_size=1, max_size=4), st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_round_trip(bodies: list[bytes], sizes: list[int]) -> None:
    machine = retrieving(len(bodies))
    machine.send(Noop())
    wire = b"".join(STATUS + stuffed(body) for body in bodies) + STATUS
    pieces: list[bytes] = []
    at = 0
    while at < len(wire):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(wire[at : at + size])
        at += size
    events, error = feed(machine, pieces)
    assert error is None
    received: list[bytes] = []
    for event in events:
        if isinstance(event, Reply) and event.more:
            received.append(b"")
        elif isinstance(event, BodyChunk):
            received[-1] += event.data
        elif isinstance(event, BodyEnd):
            assert event.octets == len(received[-1])
    assert received == bodies
    assert machine.outstanding == 0
