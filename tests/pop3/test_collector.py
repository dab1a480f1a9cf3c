"""Listings whose rows end in CRLF, in LF, or in both."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pieces import cuts
from tui_popretr.pop3 import Capa, Command, List, Listing, Machine, Noop, Reply, Uidl

from .dialogue import feed, greeted, logged_in

STATUS = b"+OK\r\n"
ROWS = (b"1 aaa", b"2 bbb", b".3 c")


def asked(command: Command) -> Machine:
    machine = greeted() if type(command) is Capa else logged_in()
    machine.send(command)
    return machine


@pytest.mark.parametrize("command", [Capa(), Uidl(), List()])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b".\n", b".\r\n"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows(command: Command, end: bytes, last: bytes, count: int) -> None:
    rows = b"".join(row + end for row in ROWS[:count])
    for pieces in cuts(STATUS + rows.replace(b"\n.", b"\n..") + last):
        machine = asked(command)
        events, error = feed(machine, pieces)
        assert error is None
        assert events[1:] == [Listing(command, rows)]
        assert (machine.outstanding, machine.buffered, machine.may_end) == (0, 0, False)


def test_capabilities_in_rows_that_end_in_lf() -> None:
    machine = asked(Capa())
    feed(machine, [b"+OK\nTOP\nSASL PLAIN\nUIDL\n.\n"])
    capabilities = machine.capabilities
    assert capabilities is not None
    assert capabilities.lines == ("TOP", "SASL PLAIN", "UIDL")
    assert capabilities.uidl


@pytest.mark.parametrize(
    "rows",
    [
        b"",
        b".",
        b".\r",
        b"1 a\n",
        b"1 a\n.",
        b"1 a\r\n.\r",
        b"1 a.\n",
        b"1 a\n..\n",
        b"..\n",
        b"1 a\n.x\n",
        b"1 a\r.\n",
    ],
)
def test_what_is_no_end(rows: bytes) -> None:
    for pieces in cuts(STATUS + rows):
        machine = asked(Uidl())
        events, error = feed(machine, pieces)
        assert error is None
        assert not [event for event in events if isinstance(event, Listing)]
        assert machine.answering


def test_replies_follow_at_once() -> None:
    for pieces in cuts(STATUS + b"1 a\n2 b\n.\n" + b"+OK\n1 7\n2 8\r\n.\n" + b"\n+OK\n"):
        machine = logged_in()
        machine.send_many([Uidl(), List(), Noop()])
        events, error = feed(machine, pieces)
        assert error is None
        assert [event.data for event in events if isinstance(event, Listing)] == [b"1 a\n2 b\n", b"1 7\n2 8\r\n"]
        assert machine.outstanding == 0


WORDS = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b".", b"..", b"\n.\n", b"\n.\r\n", b"x", b"1 a"]), max_size=14)


@settings(max_examples=300)
@given(WORDS.map(b"".join), st.lists(st.integers(1, 7), min_size=1, max_size=15))
def test_cuts_do_not_matter(stream: bytes, sizes: list[int]) -> None:
    wire, at = STATUS + stream, 0
    pieces: list[bytes] = []
    while at < len(wire):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(wire[at : at + size])
        at += size
    whole, cut = asked(Uidl()), asked(Uidl())
    events, error = feed(whole, [wire])
    events_of_cut, error_of_cut = feed(cut, pieces)
    assert isinstance(events[0], Reply)
    assert events == events_of_cut
    assert type(error) is type(error_of_cut)
    assert whole.buffered == cut.buffered
