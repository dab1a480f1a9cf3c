"""A client with very much mail does not keep the others of its disk waiting (decision 6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.running import Fleet
from tui_popretr.commands import PollClient
from tui_popretr.facts import Fact, MaildropListed, MessageDelivered

GROUP = 8
SMALL = [f"small{number}" for number in range(GROUP)]


@trio_test
async def test_who_has_little_is_served_with_the_next_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr("tui_popretr.commit.committer.GROUP", GROUP)
    fleet = Fleet(tmp_path)
    fleet.disk = 1.0
    big = fleet.client("big", mails=1000, frequency=1e6)
    small = [fleet.client(name, frequency=1e6) for name in SMALL]
    async with fleet.running(big, *small) as engine:
        await fleet.wait_for(lambda: len(fleet.of(MessageDelivered, "big")) > 100)
        for name in SMALL:
            fleet.drop(name).add(b"Subject: little\r\n\r\n")
            engine.perform(PollClient(name))
        await fleet.wait_for(lambda: all(fleet.of(MessageDelivered, name) for name in SMALL))
        assert len(fleet.of(MessageDelivered, "big")) < 900
        for name in SMALL:
            # One group is being written, one synced, one published; and in two or three they go themselves.
            assert overtaken_by("big", name, fleet.facts) <= 6 * GROUP


def overtaken_by(other: str, client: str, facts: list[tuple[float, Fact]]) -> int:
    """How many messages of `other` became durable between the last listing of a client and the end of its delivery."""
    count = 0
    for _, fact in facts:
        if isinstance(fact, MaildropListed) and fact.session.client == client:
            count = 0
        if isinstance(fact, MessageDelivered):
            count += fact.session.client == other
            if fact.session.client == client:
                found = count
    return found
