"""Why messages are still on the server."""

from __future__ import annotations

from typing import Any

import pytest

from tui_popretr.answers import WaitingReason
from tui_popretr.journal.records import (
    UNKNOWN_IDENTITY,
    Doubt,
    MessageFailure,
    MessageState,
    Record,
    deletion_key,
    uid_key,
)
from tui_popretr.session.plan import Listed, Policy
from tui_popretr.session.waiting import waiting_reasons

NOW = 1_795_000_000.0
LISTED = Listed(1, "u", 120)
FAILURE = MessageFailure(uid_key("u"), 120, 2, 0, int(NOW), "the disk is full")


def record(state: MessageState, *, pending: bool = False, confirmed: bool = True, doubt: Doubt = Doubt.NONE) -> Record:
    return Record(7, "u", 120, UNKNOWN_IDENTITY, state, pending, confirmed, None, None, None, int(NOW), doubt)


def reason(*records: Record, failures: dict[str, MessageFailure] | None = None, **policy: Any) -> tuple[str, str]:
    found, text = waiting_reasons([LISTED], records, failures or {}, Policy(**policy), NOW, NOW)[1]
    return found.value, text


SEEN, DELIVERED = MessageState.SEEN, MessageState.DELIVERED


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (reason(), ("new", "new")),
        (reason(max_size=100), ("too large", "larger than maxsize (120 octets)")),
        (reason(record(SEEN), new_only=True), ("seen", "seen")),
        (reason(record(SEEN)), ("new", "new")),
        (reason(record(DELIVERED), new_only=True, preserve=True), ("preserve", "preserve: it was delivered")),
        (
            reason(record(DELIVERED), preserve=True),
            ("preserve", "preserve: it was delivered, and is retrieved again at each run"),
        ),
        (reason(record(DELIVERED, pending=True)), ("deletion pending", "deletion pending")),
        (
            reason(
                record(DELIVERED, pending=True),
                failures={deletion_key(uid_key("u")): FAILURE._replace(failures=1)},
            ),
            ("deletion pending", "deletion pending; it failed once: the disk is full"),
        ),
        (reason(failures={uid_key("u"): FAILURE}), ("failed", "failed twice: the disk is full")),
        (reason(record(MessageState.SKIPPED)), ("skipped", "skipped by you")),
        (
            reason(record(MessageState.KEPT, doubt=Doubt.SHORT)),
            ("kept", "kept: it was delivered, and shorter than listed"),
        ),
        (reason(record(MessageState.DELIVERING)), ("delivering", "its delivery is not finished")),
        (reason(record(MessageState.DELETED)), ("deletion pending", "deletion pending")),
    ],
)
def test_a_message_and_its_reason(made: tuple[str, str], expected: tuple[str, str]) -> None:
    assert made == expected


def test_a_message_that_rests() -> None:
    found, text = reason(failures={uid_key("u"): FAILURE._replace(failures=3)})
    assert found == WaitingReason.FAILED.value
    assert text.startswith("failed 3 times (the disk is full); the next attempt is in ")
