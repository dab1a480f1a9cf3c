"""Messages and maildrops."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.popserver import Message, ServedMaildrop
from tui_popretr.popserver.maildrop import MaildropInUse


@pytest.mark.parametrize(
    ("data", "size"), [(b"", 0), (b"a\r\n", 3), (b"a", 3), (b"a\n", 4), (b"a\r", 4), (b"x" * 200_000, 200_002)]
)
def test_size_counts_the_line_end_that_is_missing(data: bytes, size: int) -> None:
    message = Message.of(data)
    assert message.size == size
    assert b"".join(message.chunks()) == data
    assert b"".join(message.chunks()) == data, "a message can be read again"


@settings(max_examples=60)
@given(st.integers(min_value=30, max_value=200_000))
def test_a_generated_message_has_exactly_its_size_and_proper_lines(size: int) -> None:
    data = b"".join(Message.generated(size).chunks())
    assert len(data) == size
    assert data.startswith(b"Subject: generated\r\n\r\n")
    assert data.endswith(b"\r\n")
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")


def test_a_generated_message_needs_room() -> None:
    with pytest.raises(ValueError):
        Message.generated(20)


def test_uids_are_given_and_never_given_again() -> None:
    maildrop = ServedMaildrop("alice", uid_prefix="a")
    first = maildrop.add(b"one")
    maildrop.add(Message.of(b"two", uid="own"))
    maildrop.update([first])
    maildrop.add(b"three")
    assert [message.uid for message in maildrop.messages] == ["own", "a2"]


def test_the_lock_is_exclusive() -> None:
    maildrop = ServedMaildrop("alice")
    maildrop.open()
    with pytest.raises(MaildropInUse):
        maildrop.open()
    assert maildrop.logins == 1
    maildrop.close()
    maildrop.open()


def test_update_removes_these_very_messages_even_among_equal_uids() -> None:
    maildrop = ServedMaildrop("alice")
    twins = [maildrop.add(Message.of(b"same", uid="same")) for _ in range(2)]
    seen = maildrop.open()
    maildrop.add(b"came later")
    maildrop.update([twins[1]])
    assert seen == tuple(twins)
    assert [message.uid for message in maildrop.messages] == ["same", "uid-1"]
    assert maildrop.messages[0] is twins[0]
    assert maildrop.deleted == ["same"]
