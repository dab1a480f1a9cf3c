"""Who waits for the journal shares its next transaction (SPEC 5)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from tests.support.worlds import disk_without_threads
from tui_popretr.engine.keeper import JournalKeeper
from tui_popretr.engine.recorder import Recorder
from tui_popretr.errors import JournalError
from tui_popretr.identity import Identity
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, NewRecord, State

NOW = 1_795_000_000


class Site:
    """A recorder over a real journal whose transactions are noted, and take ten seconds each."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = str(folder / "popretr.sqlite")
        self.transactions: list[tuple[list[int], list[int]]] = []
        self.failing: set[int] = set()  # the numbers of transactions that fail, counted from 1
        self.keeper = JournalKeeper(self.path, lambda lines: None, lambda: NOW)
        self.recorder = Recorder(self.keeper)
        self.maildrop = 0
        whole = Journal.commit

        def commit(journal: Journal, new: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
            self.transactions.append(([each.id for each in new], [each.id for each in delivered]))
            if len(self.transactions) in self.failing:
                raise JournalError("the disk reports an error")
            whole(journal, new, delivered)

        monkeypatch.setattr(Journal, "commit", commit)

    async def open(self) -> None:
        await self.keeper.open()
        key = Maildrop.of("pop.example.test", 110, "me", "maildir:/mail")
        self.maildrop = await self.keeper.run(lambda journal: journal.maildrop(key))

    def record(self, number: int) -> NewRecord:
        return NewRecord(number, self.maildrop, f"u{number}", 9, Identity(b"d"), True, "/t", "/n", None, NOW)

    def states(self) -> dict[int, State]:
        with closing(Journal.open(self.path)) as journal:
            return {record.id: record.state for record in journal.records(self.maildrop)}


@trio_test
async def test_what_comes_during_a_transaction_goes_into_the_next_one_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    with disk_without_threads(lambda: 10.0):
        await site.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.recorder.commit, [site.record(1)], [])
            await wait_all_tasks_blocked()
            nursery.start_soon(site.recorder.commit, [site.record(2)], [DeliveredMark(1, True)])
            await wait_all_tasks_blocked()
            nursery.start_soon(site.recorder.commit, [site.record(3), site.record(4)], [])
        await site.recorder.commit([], [DeliveredMark(2, True)])
        await site.keeper.close()
    assert site.transactions == [([1], []), ([2, 3, 4], [1]), ([], [2])]
    assert site.states() == {
        1: State.DELIVERED,
        2: State.DELIVERED,
        3: State.DELIVERING,
        4: State.DELIVERING,
    }


@trio_test
async def test_a_transaction_that_fails_fails_for_all_who_share_it_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    site.failing = {2}
    failed: list[int] = []

    async def commit(number: int) -> None:
        try:
            await site.recorder.commit([site.record(number)], [])
        except JournalError:
            failed.append(number)

    with disk_without_threads(lambda: 10.0):
        await site.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit, 1)
            await wait_all_tasks_blocked()
            nursery.start_soon(commit, 2)
            nursery.start_soon(commit, 3)
        await commit(4)
        await site.keeper.close()
    assert sorted(failed) == [2, 3]
    assert set(site.states()) == {1, 4}


@pytest.mark.parametrize("writing", [True, False])
@trio_test
async def test_who_is_cancelled_leaves_nobody_waiting(
    writing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    outcomes: list[str] = []

    async def commit(number: int) -> None:
        try:
            await site.recorder.commit([site.record(number)], [])
        except JournalError:
            outcomes.append("failed")
        else:
            outcomes.append("recorded")

    with disk_without_threads(lambda: 10.0):
        await site.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit, 1)
            await wait_all_tasks_blocked()
            with trio.move_on_after(15.0 if writing else 5.0) as leader:  # in its own transaction, or in its queue
                async with trio.open_nursery() as sharing:
                    sharing.start_soon(commit, 2)
                    await wait_all_tasks_blocked()
                    nursery.start_soon(commit, 3)
            assert leader.cancelled_caught
        await commit(4)
        await site.keeper.close()
    # 1 was written before, and 4 afterwards; 3 shared the transaction of 2, which nobody finishes
    assert sorted(outcomes) == ["failed", "recorded", "recorded"]
