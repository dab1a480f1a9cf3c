"""The lines about messages that stay on the server name number and UID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.facts import MessageSkipped, SessionId
from tui_popretr.logs.lines import message_name, skip_text


def skipped(uid: str | None, octets: int = 2000, reason: str = "larger than maxsize") -> MessageSkipped:
    return MessageSkipped(SessionId("isp", 1), 3, uid, octets, reason, failure=True)


@pytest.mark.parametrize(
    ("uid", "named", "short"),
    [
        ("abc123", "message 3 (UID abc123, 2 kB)", "message 3 (UID abc123)"),
        (None, "message 3 (2 kB)", "message 3"),
        ("two words", "message 3 (UID two words, 2 kB)", "message 3 (UID two words)"),
        ("\x1b]0;title\x07", "message 3 (UID \\x1b]0;title\\x07, 2 kB)", "message 3 (UID \\x1b]0;title\\x07)"),
        ("a\u202eb", "message 3 (UID a\\u202eb, 2 kB)", "message 3 (UID a\\u202eb)"),
        ("x" * 70, f"message 3 (UID {'x' * 70}, 2 kB)", f"message 3 (UID {'x' * 70})"),
        ("x" * 300, f"message 3 (UID {'x' * 70}…, 2 kB)", f"message 3 (UID {'x' * 70}…)"),
    ],
)
def test_number_and_uid(uid: str | None, named: str, short: str) -> None:
    assert message_name(3, uid, 2000) == named
    assert message_name(3, uid) == short
    assert skip_text(skipped(uid)) == f"{named} stays on the server: larger than maxsize"


@given(st.text(max_size=500))
def test_any_uid_makes_one_short_line(uid: str) -> None:
    text = message_name(3, uid, 2000)
    assert text.startswith("message 3 (UID ")
    assert text.endswith(", 2 kB)")
    assert len(text) < 100
    assert not any(ord(each) < 32 or 0x7F <= ord(each) < 0xA0 for each in text)
