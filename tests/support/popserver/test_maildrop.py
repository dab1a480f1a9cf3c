"""The counters of maildrops, and generated messages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.popserver import Message, ServedMaildrop, generated_message


@settings(max_examples=60)
@given(st.integers(min_value=30, max_value=200_000))
def test_a_generated_message_has_its_size_and_crlf(size: int) -> None:
    data = b"".join(generated_message(size).chunks())
    assert len(data) == size
    assert data.startswith(b"Subject: generated\r\n\r\n")
    assert data.endswith(b"\r\n")
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")


def test_a_generated_message_needs_room() -> None:
    with pytest.raises(ValueError):
        generated_message(20)


def test_a_maildrop_counts_logins_and_keeps_deleted_uids() -> None:
    maildrop = ServedMaildrop("alice")
    message = maildrop.add(Message.of(b"one", uid="own"))
    assert maildrop.open() == (message,)
    maildrop.update([message])
    assert (maildrop.logins, maildrop.deleted, maildrop.messages) == (1, ["own"], [])
