"""Whatever the server sends, however it is cut: the same events, and no exception but RemoteProtocolError."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pieces import steps
from tui_popretr.pop3 import (
    Capa,
    Command,
    Dele,
    List,
    LocalProtocolError,
    Noop,
    RemoteProtocolError,
    Retr,
    Stat,
    State,
    Top,
    Uidl,
    UnexpectedEof,
)

from .dialogue import feed, in_state

WORDS = st.sampled_from(
    [b"+OK", b"-ERR", b"+ ", b"+", b"\r\n", b"\r\n", b"\n", b"\r", b".", b"\r\n.\r\n", b".\r\n", b" ", b"x",
     b"[IN-USE]", b"1 abc", b" 0 0", b"<1@h>", b"\0", b"\xff", b"=", b"PDE+", b"y" * 130]
)  # fmt: skip
STREAMS = st.lists(WORDS | st.binary(max_size=3), max_size=40).map(b"".join)
COMMANDS: st.SearchStrategy[list[Command]] = st.lists(
    st.sampled_from([Retr(1), Top(1, 0), Stat(), Uidl(), List(), Capa(), Noop(), Dele(1)]), max_size=5
)


@settings(max_examples=400)
@given(st.sampled_from(State), COMMANDS, STREAMS, st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_cuts_do_not_matter(state: State, commands: list[Command], stream: bytes, sizes: list[int]) -> None:
    whole, cut = in_state(state), in_state(state)
    if state is State.TRANSACTION:
        whole.send_many(commands)
        cut.send_many(commands)
    events, error = feed(whole, [stream])
    events_of_cut, error_of_cut = feed(cut, steps(stream, sizes))
    assert events_of_cut == events
    assert type(error_of_cut) is type(error)
    assert (cut.state, cut.outstanding, cut.buffered) == (whole.state, whole.outstanding, whole.buffered)
    assert cut.answering == whole.answering
    if error is None and whole.state in (State.UPDATE, State.CLOSED):
        cut.receive_eof()
    else:
        with pytest.raises(UnexpectedEof if error is None else type(error)) as caught:
            cut.receive_eof()
        # Cc: ESC and all else that acts on a terminal
        assert not [c for c in str(caught.value) if unicodedata.category(c) == "Cc"]


@settings(max_examples=100)
@given(STREAMS)
def test_the_machine_can_go_on_or_says_that_it_cannot(stream: bytes) -> None:
    machine = in_state(State.TRANSACTION)
    machine.send(Noop())
    feed(machine, [stream])
    try:
        machine.send(Noop())
    except RemoteProtocolError:
        assert machine.state is State.BROKEN
    except LocalProtocolError:
        raise AssertionError("the state moved without a command that moves it") from None
    else:
        assert machine.state is State.TRANSACTION
