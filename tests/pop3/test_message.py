"""Messages whose lines end in LF alone: they end where the server is silent behind a line of one dot."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pieces import cuts
from tui_popretr.pop3 import (
    BodyChunk,
    BodyEnd,
    Event,
    Machine,
    Noop,
    RemoteProtocolError,
    Retr,
    Stat,
    State,
    Top,
    UnexpectedEof,
)
from tui_popretr.pop3.message import HELD

from .dialogue import feed, in_state, logged_in, merged

STATUS = b"+OK\r\n"
SILENT = [(b"\n.\n", b"\n"), (b"\n.\r\n", b"\n")]


def retrieving(*commands: Retr | Top | Noop) -> Machine:
    machine = logged_in()
    machine.send_many(commands or [Retr(1)])
    return machine


def fed(machine: Machine, pieces: list[bytes]) -> list[Event]:
    events, error = feed(machine, pieces)
    assert error is None
    return events


def octets(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, BodyChunk))


BODIES = [
    (b".\n", b""),
    (b"a\n.\n", b"a\n"),
    (b"a\n.\r\n", b"a\n"),
    (b"\n.\n", b"\n"),
    (b"\n.\r\n", b"\n"),
    (b"h: 1\n\ntext\n.\n", b"h: 1\n\ntext\n"),
    (b"h: 1\n\n\n\n.\r\n", b"h: 1\n\n\n\n"),
    (b"a\n..\nb\n.\n", b"a\n.\nb\n"),
    (b"a\n..b\n...\n.\r\n", b"a\n.b\n..\n"),
    (b"..\n.\n", b".\n"),
    (b"..a\n..\n.\n", b".a\n.\n"),
    (b"a\n.b\n.\n", b"a\n.b\n"),
    (b"a\n.\nb\n.\n", b"a\n.\nb\n"),
    (b"a\n.\n.\n", b"a\n.\n"),
    (b"a.\n.\n", b"a.\n"),
    (b"a..\nb..\n.\n", b"a..\nb..\n"),
    (b"a\rb\n\rc\n.\n", b"a\rb\n\rc\n"),
    (b"a\n..\n.b\n...\n.\n", b"a\n.\n.b\n..\n"),
    (b"\0\n\xff\n.\n", b"\0\n\xff\n"),
]


@pytest.mark.parametrize(("sent", "body"), BODIES)
def test_the_end_is_where_the_server_is_silent(sent: bytes, body: bytes) -> None:
    for command in (Retr(1), Top(1, 5)):
        for pieces in cuts(STATUS + sent):
            machine = retrieving(command)
            events = fed(machine, pieces)
            assert machine.may_end
            events += machine.quiet()
            assert octets(events) == body
            assert events[-1] == BodyEnd(command, len(body))
            assert merged(events)
            assert (machine.outstanding, machine.buffered, machine.answering) == (0, 0, False)
            assert machine.idle
            assert machine.quiet() == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b".",
        b".\r",
        b"a\n",
        b"a\n.",
        b"a\n.\r",
        b"a\n..\n",
        b"a\n.\n\n",
        b"a\n.\r\n\r",
        b"a\n.\r\r\n",
        b"a\n.b",
        b"a\n.\n+OK",
        b"a\n.\r\n+OK\r\n",
        b"a\r\n.\n",
        b"a\r\nb\n.\n",
        b"a\r\nb\n.\r\n",
        b"a\nb\r\nc\n.\r\n",
        b"\r\n\n.\n",
        b"a\n.\r\nb\n.\n",
    ],
)
def test_silence_ends_nothing_else(sent: bytes) -> None:
    for pieces in cuts(STATUS + sent):
        machine = retrieving()
        fed(machine, pieces)
        assert not machine.may_end
        assert machine.quiet() == []
        assert machine.answering


@pytest.mark.parametrize("state", State)
def test_silence_outside_of_messages(state: State) -> None:
    machine = in_state(state)
    assert not machine.may_end
    if state is State.BROKEN:
        with pytest.raises(RemoteProtocolError):
            machine.quiet()
    else:
        assert machine.quiet() == []


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n"])
def test_what_follows_soon_belongs_to_the_message(end: bytes) -> None:
    """However it is cut: the line of one dot is text, and CR LF . CR LF is the end."""
    for pieces in cuts(STATUS + b"a" + end + b"b\r\n.\r\n"):
        machine = retrieving()
        events = fed(machine, pieces)
        assert octets(events) == b"a" + end + b"b\r\n"
        assert isinstance(events[-1], BodyEnd)
        assert not machine.may_end


def test_a_connection_that_is_cut_ends_no_message() -> None:
    machine = retrieving()
    machine.receive(STATUS + b"a\n.\n")
    with pytest.raises(UnexpectedEof):
        machine.receive_eof()
    assert not machine.may_end


def test_messages_in_a_row() -> None:
    machine = retrieving(Retr(1))
    events: list[Event] = []
    for sent, command in (
        (b"one\n.\n", Retr(2)),
        (b"two\r\n.\r\n", Top(3, 0)),
        (b"\n+OK\nthree\n..\n.\r\n", Noop()),
    ):
        events += fed(machine, [(STATUS if sent[0] > 32 else b"") + sent])
        events += machine.quiet()
        machine.send(command)
    events += fed(machine, [STATUS])
    assert octets(events) == b"one\ntwo\r\nthree\n.\n"
    assert [event.octets for event in events if isinstance(event, BodyEnd)] == [4, 5, 8]
    assert machine.outstanding == 0


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n"])
def test_silence_ends_no_message_while_further_replies_are_due(end: bytes) -> None:
    """It may be the silence behind the last of them: several messages are never taken for one."""
    machine = retrieving(Retr(1), Retr(2))
    assert octets([*fed(machine, [b"+OK\none\n"]), *machine.quiet()]) == b"one"
    before = machine.passed_an_end
    fed(machine, [end[1:] + b"+OK\ntwo" + end])
    assert (before, machine.passed_an_end) == (False, True)
    assert machine.quiet() == []
    assert machine.outstanding == 2


def test_a_dot_line_in_an_ordinary_message_is_not_an_end() -> None:
    for sent in (b"a\r\n.\n", b"a\r\nb\n.\nc\r\n", b"a\r\n..\r\nc", b"a\nb\r\n"):
        machine = retrieving(Retr(1), Retr(2))
        fed(machine, [STATUS + sent])
        assert not machine.passed_an_end, sent


def test_a_status_line_that_ends_in_lf_alone() -> None:
    for sent in (b"+OK\r\n", b"\n+OK\r\n", b"+OK\n"):
        machine = in_state(State.GREETING)
        machine.receive(sent)
        assert machine.bare_lines is (sent == b"+OK\n")


def test_a_message_begins_without_the_state_of_the_last_one() -> None:
    machine = retrieving()
    fed(machine, [STATUS + b"a\n.\n"])
    machine.quiet()
    machine.send(Stat())
    fed(machine, [b"+OK 1 2\r\n"])
    assert not machine.may_end
    assert machine.quiet() == []


# --- doubled dots -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"a\n..b\r\n", b"a\n..b\nc\r\n", b"\n..\n..\r\n", b"a\n.\n..\r\nc\n..\r\n"])
def test_dots_after_a_bare_lf_stay_in_a_message_with_crlf(sent: bytes) -> None:
    for pieces in cuts(STATUS + sent + b".\r\n"):
        assert octets(fed(retrieving(), pieces)) == sent


@pytest.mark.parametrize("size", [97, 300_000])
@pytest.mark.parametrize("length", [HELD - 2, HELD - 1, HELD, HELD + 1])
def test_text_is_not_held_back_for_ever(length: int, size: int) -> None:
    """Behind so much text without a CRLF the dots count as doubled, however it is cut."""
    text = b"a\n..b\n"[:1] + b"\n..b\n".ljust(length, b"x")
    wire = STATUS + text + b"\r\n..c\r\n.\r\n"
    events = fed(retrieving(), [wire[at : at + size] for at in range(0, len(wire), size)])
    expected = text if length < HELD else text.replace(b"\n..", b"\n.")
    assert octets(events) == expected + b"\r\n.c\r\n"
    wire = STATUS + text + b"\n..c\n.\n"
    machine = retrieving()
    events = fed(machine, [wire[at : at + size] for at in range(0, len(wire), size)]) + machine.quiet()
    assert octets(events) == (text + b"\n..c\n").replace(b"\n..", b"\n.")


# --- anything ---------------------------------------------------------------------------------------------------------

LINES = st.lists(st.sampled_from([b"", b".", b"..", "ü".encode(), b"x", b"\r.", b"x\ry", b"\0", b".x"]), max_size=12)


def sizes_of(wire: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    while at < len(wire):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(wire[at : at + size])
        at += size
    return pieces


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=20)


@settings(max_examples=300)
@given(LINES, SIZES, st.sampled_from([b".\n", b".\r\n"]))
def test_round_trip(lines: list[bytes], sizes: list[int], end: bytes) -> None:
    body = b"".join(line + b"\n" for line in lines)
    wire = STATUS + re.sub(rb"(\A|\n)\.", rb"\1..", body) + (end if body else b".\n")
    machine = retrieving()
    events = fed(machine, sizes_of(wire, sizes))
    assert machine.may_end
    assert octets(events + machine.quiet()) == body
    assert machine.idle


WORDS = st.lists(
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b".", b"..", b"\n.", b"\n..", b"\n.\n", b"\n.\r\n", b"x"]),
    max_size=16,
).map(b"".join)


@settings(max_examples=500)
@given(WORDS, SIZES)
def test_cuts_do_not_matter(stream: bytes, sizes: list[int]) -> None:
    whole, cut = retrieving(Retr(1), Noop()), retrieving(Retr(1), Noop())
    events, error = feed(whole, [STATUS + stream])
    events_of_cut, error_of_cut = feed(cut, sizes_of(STATUS + stream, sizes))
    assert type(error) is type(error_of_cut)
    assert events == events_of_cut
    if error is None:
        assert (whole.may_end, whole.buffered) == (cut.may_end, cut.buffered)
        assert whole.quiet() == cut.quiet()
        assert whole.outstanding == cut.outstanding
