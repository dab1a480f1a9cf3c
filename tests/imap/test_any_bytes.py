"""Whatever the server sends, however it is cut: the same responses, and no exception but RemoteProtocolError."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.imap.dialogue import appending, feed, in_state, ready
from tests.support.pieces import steps
from tui_popretr.imap import LocalProtocolError, Noop, RemoteProtocolError, State, Status, UnexpectedEof, utf7
from tui_popretr.imap.values import NotAValue, parse

WORDS = st.sampled_from(
    [b"* ", b"+ ", b"a1 ", b"a2 ", b"a3 ", b"OK", b"NO ", b"BYE", b"[", b"]", b"(", b")", b'"', b"\\", b"{3}\r\n",
     b"{0}", b" FETCH (", b"UID 7", b"1", b"\r\n", b"\n", b"\r", b"x", b"\0", b"\xff", b"* OK hi\r\n", b"a2 OK\r\n",
     b"* SEARCH", b"* LIST () NIL x\r\n", b"* 1 FETCH (X {2}\r\n", b"CAPABILITY IMAP4rev1"]
)  # fmt: skip
STREAMS = st.lists(WORDS | st.binary(max_size=3), max_size=40).map(b"".join)


@settings(max_examples=200)
@given(st.sampled_from(State), st.integers(0, 3), STREAMS, st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_cuts_do_not_matter(state: State, commands: int, stream: bytes, sizes: list[int]) -> None:
    whole, cut = in_state(state), in_state(state)
    if state in (State.AUTHENTICATED, State.SELECTED):
        for machine in (whole, cut):
            for _ in range(commands):
                machine.send(Noop())
    responses, error = feed(whole, [stream])
    assert feed(cut, steps(stream, sizes))[0] == responses
    assert (cut.state, cut.outstanding, cut.buffered) == (whole.state, whole.outstanding, whole.buffered)
    over = whole.state is State.CLOSED or (whole.state is State.DISMISSED and not whole.outstanding)
    if error is None and over:
        cut.receive_eof()
        return
    with pytest.raises(UnexpectedEof if error is None else type(error)) as caught:
        cut.receive_eof()
    # Cc: ESC and all else that acts on a terminal
    assert not [c for c in str(caught.value) if unicodedata.category(c) == "Cc"]


@settings(max_examples=100)
@given(st.booleans(), STREAMS)
def test_no_ok_before_the_end(at_once: bool, stream: bytes) -> None:
    machine = appending(7, capabilities=("LITERAL+",) if at_once else ())
    responses, _ = feed(machine, [stream])
    tagged = [each for each in responses if isinstance(each, Status) and each.command is not None]
    assert not any(each.ok for each in tagged)
    with pytest.raises((RemoteProtocolError, LocalProtocolError)):
        machine.end()


@settings(max_examples=100)
@given(STREAMS)
def test_the_machine_can_go_on_or_says_that_it_cannot(stream: bytes) -> None:
    machine = ready()
    machine.send(Noop())
    feed(machine, [stream])
    try:
        machine.send(Noop())
    except RemoteProtocolError:
        assert machine.state is State.BROKEN
    except LocalProtocolError:
        assert machine.state is State.DISMISSED
    else:
        assert machine.state is State.AUTHENTICATED


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_folder_name_comes_back(name: str) -> None:
    coded = utf7.encode(name)
    assert coded.isascii()
    assert utf7.decode(coded) == name


@given(st.binary(max_size=40) | st.text("&-,ABab09+/ ").map(str.encode))
def test_any_octets_are_a_folder_name_or_not(octets: bytes) -> None:
    try:
        name = utf7.decode(octets)
    except ValueError:
        return
    assert utf7.encode(name) == octets


@given(
    st.lists(st.sampled_from([b"(", b")", b'"a"', b'"', b"x", b" ", b"NIL", b"[", b"]", b"\\", b"\xff"]), max_size=60)
)
def test_any_octets_are_values_or_not(words: list[bytes]) -> None:
    with contextlib.suppress(NotAValue):
        parse((b"".join(words),))
