"""Messages and maildrops."""

from __future__ import annotations

import pytest

from tui_popretr.popserver import Message, ServedMaildrop
from tui_popretr.popserver.maildrop import MaildropInUse


@pytest.mark.parametrize(
    ("data", "size"), [(b"", 0), (b"a\r\n", 3), (b"a", 3), (b"a\n", 4), (b"a\r", 4), (b"x" * 200_000, 200_002)]
)
def test_size_includes_a_missing_line_end(data: bytes, size: int) -> None:
    message = Message.of(data)
    assert message.size == size
    assert b"".join(message.chunks()) == data
    assert b"".join(message.chunks()) == data, "a message can be read again"


def test_a_uid_is_never_assigned_twice() -> None:
    maildrop = ServedMaildrop("alice", "secret", uid_prefix="a")
    first = maildrop.add(b"one")
    maildrop.add(Message.of(b"two", uid="own"))
    maildrop.update([first])
    maildrop.add(b"three")
    assert [message.uid for message in maildrop.messages] == ["own", "a2"]


def test_the_lock_is_exclusive() -> None:
    maildrop = ServedMaildrop("alice", "secret")
    maildrop.open()
    with pytest.raises(MaildropInUse):
        maildrop.open()
    maildrop.close()
    maildrop.open()


def test_update_removes_only_these_messages_among_equal_uids() -> None:
    maildrop = ServedMaildrop("alice", "secret")
    twins = [maildrop.add(Message.of(b"same", uid="same")) for _ in range(2)]
    seen = maildrop.open()
    maildrop.add(b"came later")
    maildrop.update([twins[1]])
    assert seen == tuple(twins)
    assert [message.uid for message in maildrop.messages] == ["same", "uid-1"]
    assert maildrop.messages[0] is twins[0]
