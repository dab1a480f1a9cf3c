"""Whatever the server sends, however it is cut: the same replies, and no exception but RemoteProtocolError."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.smtp.dialogue import feed, in_content, in_state, ready
from tests.support.pieces import steps
from tui_popretr.smtp import LocalProtocolError, Noop, RemoteProtocolError, Reply, State, UnexpectedEof

WORDS = st.sampled_from(
    [b"220", b"250", b"334", b"354", b"421", b"550", b" ", b"-", b"\r\n", b"\r\n", b"\n", b"\r", b"x", b"\0", b"\xff",
     b"250 ok\r\n", b"250-a\r\n", b"PDE+", b"y" * 130]
)  # fmt: skip
STREAMS = st.lists(WORDS | st.binary(max_size=3), max_size=40).map(b"".join)


@settings(max_examples=400)
@given(st.sampled_from(State), st.integers(0, 5), STREAMS, st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_cuts_do_not_matter(state: State, commands: int, stream: bytes, sizes: list[int]) -> None:
    whole, cut = in_state(state), in_state(state)
    if state is State.READY:
        for machine in (whole, cut):
            machine.send_many([Noop()] * commands)
    replies, error = feed(whole, [stream])
    assert feed(cut, steps(stream, sizes))[0] == replies
    assert (cut.state, cut.outstanding, cut.buffered) == (whole.state, whole.outstanding, whole.buffered)
    if error is None and whole.state is State.CLOSED:
        cut.receive_eof()
        return
    with pytest.raises(UnexpectedEof if error is None else type(error)) as caught:
        cut.receive_eof()
    # Cc: ESC and all else that acts on a terminal
    assert not [c for c in str(caught.value) if unicodedata.category(c) == "Cc"]


@settings(max_examples=200)
@given(st.booleans(), STREAMS)
def test_a_verdict_comes_after_the_end_only(lmtp: bool, stream: bytes) -> None:
    machine = in_content(lmtp=lmtp)
    replies, _ = feed(machine, [stream])
    assert all(reply.command is None for reply in replies)
    assert len(replies) <= 1
    if replies or machine.buffered:
        with pytest.raises((RemoteProtocolError, LocalProtocolError)):
            machine.end()


@settings(max_examples=200)
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
        assert machine.state is State.CLOSED
    else:
        assert machine.state is State.READY


@given(st.integers(200, 599), st.lists(st.binary(max_size=400), min_size=1, max_size=5))
def test_a_reply_is_shown_on_one_bounded_line(code: int, lines: list[bytes]) -> None:
    text = str(Reply(code, tuple(lines)))
    assert text.startswith(str(code))
    assert len(text) <= 301
    assert not [c for c in text if unicodedata.category(c) == "Cc"]
