"""Whether a session connects again after its connection broke, by the cause."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import trio_test

from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tui_popretr.bus import Bus
from tui_popretr.errors import ConnectionCut
from tui_popretr.facts import SessionId
from tui_popretr.journal.records import MessageFailure
from tui_popretr.session.breaks import (
    RECONNECT_AFTER_MESSAGE,
    RECONNECT_WITHOUT_CAPA,
    Cause,
    ConnectionBrokeError,
    Reconnections,
    Suspect,
)
from tui_popretr.session.failures import Failures
from tui_popretr.session.pipelining import RECONNECT_UNPIPELINED, Pipelining, PipeliningHistory
from tui_popretr.session.plan import Listed
from tui_popretr.session.report import SessionReport

LISTED = Listed(1, "u1", 100)
KEY = LISTED.failure_key
MESSAGE, DELETION = Suspect(LISTED, KEY, False), Suspect(LISTED, f"dele {KEY}", True)


class Parts:
    """A session's memory of broken connections. Failures are collected, and not written to a journal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures = Failures(no_journal, clock := FakeClock())
        self.counted = 0
        monkeypatch.setattr(self.failures, "count", self._count)
        self.pipelining = Pipelining(server_settings(), PipeliningHistory(), no_journal, clock)
        report = SessionReport(SessionId("a", 1), Bus(), clock, self.failures)
        self.reconnections = Reconnections(self.pipelining, self.failures, report)

    async def _count(self, maildrop: int) -> None:
        self.counted += 1

    async def decide(self, cause: Cause, suspect: Suspect | None = None) -> str:
        return await self.reconnections.decide(1, ConnectionBrokeError(ConnectionCut("cut"), cause, suspect))


no_journal: Any = None


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


@pytest.mark.parametrize(
    ("cause", "suspect", "text", "counted", "last"),
    [
        (Cause.SECOND_CAPA, None, RECONNECT_WITHOUT_CAPA, 0, ()),
        (Cause.FIRST_PIPELINING, None, RECONNECT_UNPIPELINED, 0, ()),
        (Cause.PIPELINING, MESSAGE, RECONNECT_UNPIPELINED, 0, (KEY,)),
        (Cause.CUT_SHORT, MESSAGE, RECONNECT_AFTER_MESSAGE, 0, ()),
        (Cause.MESSAGE, MESSAGE, RECONNECT_AFTER_MESSAGE, 1, ()),
        (Cause.MESSAGE, DELETION, RECONNECT_AFTER_MESSAGE, 1, ()),
    ],
)
@trio_test
async def test_each_cause(
    parts: Parts, cause: Cause, suspect: Suspect | None, text: str, counted: int, last: tuple[str, ...]
) -> None:
    assert await parts.decide(cause, suspect) == text
    assert parts.counted == counted
    assert parts.reconnections.last == set(last)
    assert parts.failures.broke == ({suspect.key} if suspect and counted else set())
    assert parts.reconnections.deletions_last == (suspect is DELETION)


@trio_test
async def test_a_message_that_failed_before_is_not_excused(parts: Parts) -> None:
    parts.failures.known = {KEY: MessageFailure(KEY, 1, 1, 0, 0, "")}
    assert await parts.decide(Cause.PIPELINING, MESSAGE) == RECONNECT_AFTER_MESSAGE
    assert (parts.counted, parts.failures.broke) == (1, {KEY})


@pytest.mark.parametrize("cause", [Cause.SECOND_CAPA, Cause.FIRST_PIPELINING, Cause.MESSAGE])
@trio_test
async def test_one_reconnection(parts: Parts, cause: Cause) -> None:
    await parts.decide(cause, MESSAGE)
    with pytest.raises(ConnectionCut):
        await parts.decide(cause, MESSAGE)


@trio_test
async def test_one_more_for_each_message_that_was_cut_short(parts: Parts) -> None:
    await parts.decide(Cause.CUT_SHORT, MESSAGE)
    other = Listed(2, None, 200)
    await parts.decide(Cause.CUT_SHORT, Suspect(other, other.failure_key, False))
    assert parts.failures.broke == {other.failure_key}  # it has no UID: RETR would break the connection again
    await parts.decide(Cause.CUT_SHORT, MESSAGE)
    with pytest.raises(ConnectionCut):
        await parts.decide(Cause.CUT_SHORT, MESSAGE)
