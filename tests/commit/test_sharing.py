"""Jobs that wait for the journal share its next transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test, wait_all_tasks_blocked

from tests.support.journals import NOW, journals
from tests.support.worlds import disk_without_threads
from tui_popretr.errors import JournalError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, MessageState, NewRecord
from tui_popretr.mail.identity import Identity


class Site:
    """A real journal whose transactions are noted, and take ten seconds each."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = str(folder / "popretr.sqlite")
        self.transactions: list[tuple[list[int], list[int]]] = []
        self.journal, self._recovery = self._journals = journals(folder)
        self.maildrop = 0
        together, commit = Journal.transaction, Journal.commit

        @contextmanager
        def noted(journal: Journal) -> Iterator[None]:
            self.transactions.append(([], []))
            with together(journal):
                yield

        def note(journal: Journal, new: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
            self.transactions[-1][0].extend(each.id for each in new)
            self.transactions[-1][1].extend(each.id for each in delivered)
            commit(journal, new, delivered)

        monkeypatch.setattr(Journal, "transaction", noted)
        monkeypatch.setattr(Journal, "commit", note)

    async def open(self) -> None:
        await self._recovery.open()
        self.maildrop = await self._journals.maildrop()
        self.transactions.clear()

    async def commit(self, new: Sequence[NewRecord], delivered: Sequence[DeliveredMark] = ()) -> None:
        await self.journal.run(lambda journal: journal.commit(new, delivered))

    def record(self, number: int, octets: int = 9) -> NewRecord:
        return NewRecord(number, self.maildrop, f"u{number}", octets, Identity(b"d"), True, "/t", "/n", None, NOW)

    def states(self) -> dict[int, MessageState]:
        with closing(Journal.open(self.path)) as journal:
            return {record.id: record.state for record in journal.records(self.maildrop)}


@trio_test
async def test_jobs_during_a_transaction_share_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    with disk_without_threads(lambda: 10.0):
        await site.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.commit, [site.record(1)])
            await wait_all_tasks_blocked()
            nursery.start_soon(site.commit, [site.record(2)], [DeliveredMark(1, True)])
            await wait_all_tasks_blocked()
            nursery.start_soon(site.commit, [site.record(3), site.record(4)])
        await site.commit([], [DeliveredMark(2, True)])
        await site.journal.close()
    assert site.transactions == [([1], []), ([2, 3, 4], [1]), ([], [2])]
    assert site.states() == {
        1: MessageState.DELIVERED,
        2: MessageState.DELIVERED,
        3: MessageState.DELIVERING,
        4: MessageState.DELIVERING,
    }


@pytest.mark.parametrize("breaking", [True, False])
@trio_test
async def test_a_failed_job_fails_others_only_if_the_journal_broke(
    breaking: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    failed: list[int] = []

    async def commit(number: int, new: Sequence[NewRecord]) -> None:
        try:
            await site.commit(new)
        except JournalError:
            failed.append(number)

    with disk_without_threads(lambda: 10.0):
        await site.open()
        # one id twice is SQLite's error, a number that no column takes is not
        bad = [site.record(3), site.record(3)] if breaking else [site.record(30), site.record(3, octets=2**70)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit, 1, [site.record(1)])
            await wait_all_tasks_blocked()
            nursery.start_soon(commit, 2, [site.record(2)])
            nursery.start_soon(commit, 3, bad)
            nursery.start_soon(commit, 4, [site.record(4)])
        await commit(5, [site.record(5)])
        await site.journal.close()
    assert sorted(failed) == ([2, 3, 4, 5] if breaking else [3])
    assert set(site.states()) == ({1} if breaking else {1, 2, 4, 5})


@pytest.mark.parametrize("writing", [True, False])
@trio_test
async def test_who_is_cancelled_leaves_nobody_waiting(
    writing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    site = Site(tmp_path, monkeypatch)
    recorded: list[int] = []

    async def commit(number: int) -> None:
        await site.commit([site.record(number)])
        recorded.append(number)

    with disk_without_threads(lambda: 10.0):
        await site.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit, 1)
            await wait_all_tasks_blocked()
            with trio.move_on_after(15.0 if writing else 5.0) as cancelled:  # in its transaction, or before it
                async with trio.open_nursery() as sharing:
                    sharing.start_soon(commit, 2)
                    await wait_all_tasks_blocked()
                    nursery.start_soon(commit, 3)
            assert cancelled.cancelled_caught
        await commit(4)
        await site.journal.close()
    assert recorded == [1, 3, 4]
    assert set(site.states()) == ({1, 2, 3, 4} if writing else {1, 3, 4})
