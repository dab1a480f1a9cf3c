"""The journal's keeper: one thread at a time, and recovery after a failed write."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import trio_test

from tui_popretr.commit.keeper import JournalFuture, JournalKeeper, recovery_text
from tui_popretr.commit.recovery import Recovered, RecoveryResult
from tui_popretr.config.model import MaildirDestination
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, JournalLocked
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveredMark, Maildrop, MessageState, NewRecord
from tui_popretr.mail.identity import Identity

NOW = 1_795_000_000


class Kept:
    """A keeper, and the audit lines it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.audit: list[str] = []
        self.keeper = JournalKeeper(str(folder / "popretr.sqlite"), self._record, lambda: NOW)

    def _record(self, lines: Sequence[str]) -> None:
        self.audit += lines

    def delivered(self) -> int:
        """How many messages have arrived."""
        return len(list((self.folder / "Maildir" / "new").iterdir()))

    def spoil(self) -> Callable[[], object]:
        """Make something else of the journal's file; return what puts it right."""
        path = self.folder / "popretr.sqlite"
        good = path.read_bytes()
        path.write_bytes(b"this is no database" * 100)
        return lambda: path.write_bytes(good)

    @property
    def key(self) -> Maildrop:
        return Maildrop.of("pop.example.test", 110, "me", f"maildir:{self.folder}/Maildir")

    def interrupted(self, journal: Journal, *, published: bool) -> NewRecord:
        """Deliver a message as far as the journal's *delivering*, or its publication."""
        sink = MaildirSink(MaildirDestination(str(self.folder / "Maildir")), journal.id)
        draft = sink.open(journal.next_id(), time_of_day())
        draft.write(b"Subject: x\n\n")
        draft.write_out()
        draft.sync()
        record = NewRecord(
            draft.record_id,
            journal.maildrop(self.key),
            "u",
            12,
            Identity(b"d"),
            True,
            draft.tmp,
            draft.final,
            "line",
            NOW,
        )
        journal.commit([record], [])
        if published:
            draft.publish()
        return record


def time_of_day() -> datetime:
    return datetime(2026, 11, 23, 7, 27, 59, tzinfo=UTC)


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Kept]:
    things = Kept(folder)
    await things.keeper.open()
    try:
        yield things
    finally:
        await things.keeper.close()


async def break_it(keeper: JournalKeeper) -> None:
    """Make a write fail as SQLite does: a second message under one id."""
    record = NewRecord(1, 999, "u", 12, Identity(b"d"), True, None, None, None, NOW)
    with pytest.raises(JournalError):
        await keeper.run(lambda journal: journal.commit([record, record], []))
    assert keeper.journal.broken


@trio_test
async def test_before_it_is_open_there_is_no_journal(tmp_path: Path) -> None:
    keeper = Kept(tmp_path).keeper
    with pytest.raises(JournalError, match="not open"):
        _ = keeper.journal
    with pytest.raises(JournalError, match="not open"):
        await keeper.run(lambda journal: journal.id)
    await keeper.close()


@trio_test
async def test_a_journal_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    async with kept(tmp_path):
        with pytest.raises(JournalLocked):
            await Kept(tmp_path).keeper.open()


@pytest.mark.parametrize(("durable", "level"), [((True,), 2), ((False,), 1), ((False, True), 2), ((False, False), 1)])
@trio_test
async def test_one_use_that_needs_it_brings_the_fsync(durable: tuple[bool, ...], level: int, tmp_path: Path) -> None:
    levels: list[tuple[int]] = []

    def use(journal: Journal) -> None:
        levels.append(journal._connection.execute("PRAGMA synchronous").fetchone())

    async with kept(tmp_path) as things, trio.open_nursery() as nursery:
        for each in durable:
            nursery.start_soon(partial(things.keeper.run, use, durable=each))
    assert levels == [(level,)] * len(durable)


@trio_test
async def test_uses_are_made_in_a_thread_one_at_a_time(tmp_path: Path) -> None:
    here = threading.get_ident()
    inside = 0

    def use(journal: Journal) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        assert threading.get_ident() != here
        time.sleep(0.001)
        inside -= 1

    async with kept(tmp_path) as things, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(things.keeper.run, use)


@trio_test
async def test_a_use_returns_its_result_and_its_error(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        assert await things.keeper.run(lambda journal: journal.path) == things.keeper.journal.path
        with pytest.raises(ZeroDivisionError):
            await things.keeper.run(lambda journal: 1 // 0)


@trio_test
async def test_opening_finishes_what_a_crash_left(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        record = await things.keeper.run(lambda journal: things.interrupted(journal, published=False))
    again = Kept(tmp_path)
    recovered = await again.keeper.open()
    assert [(each.record.id, each.outcome) for each in recovered] == [(record.id, RecoveryResult.PUBLISHED)]
    assert again.audit == ["line (recovered)"]
    assert again.delivered() == 1
    await again.keeper.close()


@trio_test
async def test_opening_a_maildrop_finishes_what_a_session_left(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        record = await things.keeper.run(lambda journal: things.interrupted(journal, published=True))
        number, recovered = await things.keeper.open_maildrop(things.key)
        assert number == record.maildrop
        assert [each.outcome for each in recovered] == [RecoveryResult.FOUND]
        assert await things.keeper.open_maildrop(things.key) == (number, [])
        records = await things.keeper.run(lambda journal: journal.records(number))
        assert [each.state for each in records] == [MessageState.DELIVERED]
    assert things.audit == ["line (recovered)"]


@trio_test
async def test_a_sound_journal_is_left_alone(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        journal = things.keeper.journal
        assert await things.keeper.reopen_if_broken() == []
        assert things.keeper.journal is journal


@trio_test
async def test_a_broken_journal_is_reopened_and_recovered(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        journal = things.keeper.journal
        record = await things.keeper.run(lambda journal: things.interrupted(journal, published=True))
        await break_it(things.keeper)
        with pytest.raises(JournalError):
            await things.keeper.run(lambda journal: journal.commit([], [DeliveredMark(record.id, True)]))
        assert [each.outcome for each in await things.keeper.reopen_if_broken()] == [RecoveryResult.FOUND]
        assert things.keeper.journal is not journal
        assert things.audit == ["line (recovered)"]
        await things.keeper.run(lambda journal: journal.mark_delete_pending([record.id]))


@trio_test
async def test_two_sessions_reopen_a_broken_journal_once(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        await things.keeper.run(lambda journal: things.interrupted(journal, published=True))
        await break_it(things.keeper)
        seen: list[tuple[Journal, int]] = []

        async def need() -> None:
            recovered = await things.keeper.reopen_if_broken()
            seen.append((things.keeper.journal, len(recovered)))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(need)
        assert len({id(journal) for journal, _ in seen}) == 1
        assert sum(count for _, count in seen) == 1


@trio_test
async def test_no_id_is_given_twice_whatever_becomes_of_the_journal(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        before = things.keeper.journal.next_id  # what a session that runs goes on using
        ids = [before() for _ in range(5)]  # none of them is in the journal yet
        await break_it(things.keeper)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(things.keeper.reopen_if_broken)
            for _ in range(50):
                ids.append(before())
                await trio.lowlevel.checkpoint()
        ids += [give() for _ in range(5) for give in (before, things.keeper.journal.next_id)]
        assert len(set(ids)) == len(ids)


@trio_test
async def test_while_it_cannot_be_reopened_nothing_is_used(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        await break_it(things.keeper)
        things.keeper.journal.close()
        mend = things.spoil()
        for _ in range(2):
            with pytest.raises(JournalError):
                await things.keeper.reopen_if_broken()
        with pytest.raises(JournalError):
            await things.keeper.run(lambda journal: journal.id)
        mend()
        assert await things.keeper.reopen_if_broken() == []
        assert await things.keeper.run(lambda journal: journal.records(1)) == []


@trio_test
async def test_closing_is_done_even_when_cancelled_and_may_be_repeated(tmp_path: Path) -> None:
    things = Kept(tmp_path)
    await things.keeper.open()
    with trio.CancelScope() as scope:
        scope.cancel()
        await things.keeper.close()
    await things.keeper.close()
    Journal.open(str(tmp_path / "popretr.sqlite")).close()  # its lock is free again


@trio_test
async def test_a_cancelled_opening_is_closed_by_its_thread(tmp_path: Path) -> None:
    """Closing it under a thread that uses it would be the end of the process."""
    things = Kept(tmp_path)
    inside, go_on = threading.Event(), threading.Event()

    def opened() -> None:
        inside.set()
        go_on.wait(60)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(things.keeper.open, opened)
        await trio.to_thread.run_sync(inside.wait, 60)
        nursery.cancel_scope.cancel()
    go_on.set()
    await things.keeper.open()  # nobody else has it
    await things.keeper.close()
    Journal.open(str(tmp_path / "popretr.sqlite")).close()


@trio_test
async def test_one_that_cannot_be_recovered_is_not_kept_from_others(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        await things.keeper.run(lambda journal: things.interrupted(journal, published=True))

    def fail(lines: Sequence[str]) -> None:
        raise JournalError("no audit")

    with pytest.raises(JournalError, match="no audit"):
        await JournalKeeper(str(tmp_path / "popretr.sqlite"), fail, lambda: NOW).open()
    Journal.open(str(tmp_path / "popretr.sqlite")).close()


@trio_test
@pytest.mark.parametrize("problem", [AttributeError("link"), DestinationTimeout("no answer")])
async def test_an_unexpected_error_in_a_recovery_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    async with kept(tmp_path) as things:
        await things.keeper.run(lambda journal: things.interrupted(journal, published=False))

    def fail(interrupted: object, now: int) -> list[Recovered]:
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr("tui_popretr.commit.keeper.look_up", fail)
        things = Kept(tmp_path)
        (recovered,) = await things.keeper.open()
        assert recovered.outcome is RecoveryResult.UNKNOWN
        assert str(problem) in str(recovered.error)
        _, (again,) = await things.keeper.open_maildrop(things.key)
        assert again.outcome is RecoveryResult.UNKNOWN
    _, (recovered,) = await things.keeper.open_maildrop(things.key)
    assert recovered.outcome is RecoveryResult.PUBLISHED
    await things.keeper.close()


@trio_test
async def test_without_a_thread_it_is_an_error_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kept(tmp_path) as things:

        async def no_thread(function: Callable[[], object]) -> object:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(things.keeper, "_in_thread", no_thread)
            with pytest.raises(RuntimeError, match="new thread"):
                await things.keeper.run(lambda journal: journal.id)
        assert await things.keeper.run(lambda journal: journal.id) == things.keeper.journal.id


@trio_test
async def test_a_recovery_is_told_in_a_sentence(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        await things.keeper.run(lambda journal: things.interrupted(journal, published=True))
        ((_, record),) = await things.keeper.run(lambda journal: journal.delivering())
    texts = {outcome: recovery_text(Recovered(1, record, outcome)) for outcome in RecoveryResult}
    assert len(set(texts.values())) == len(RecoveryResult)
    assert all(text.startswith(f"interrupted delivery of message {record.id} ") for text in texts.values())
    text = recovery_text(Recovered(1, record, RecoveryResult.UNKNOWN, DeliveryFailed("the folder is not there")))
    assert text.endswith("(the folder is not there)")


# --- from threads -----------------------------------------------------------------------------------------------------


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count transactions."""
    real = Journal.transaction
    transactions: list[int] = []

    def transaction(journal: Journal) -> AbstractContextManager[None]:
        transactions.append(len(transactions))
        return real(journal)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "transaction", transaction)
        yield transactions


@trio_test
async def test_a_thread_gets_result_or_error_when_it_is_durable(tmp_path: Path) -> None:
    async with kept(tmp_path) as things:
        number = await trio.to_thread.run_sync(
            lambda: things.keeper.submit(lambda journal: journal.maildrop(things.key)).result()
        )
        assert await things.keeper.run(lambda journal: journal.maildrop(things.key)) == number
        with pytest.raises(ZeroDivisionError):
            things.keeper.submit(lambda journal: 1 // 0).result()
        await break_it(things.keeper)
        with pytest.raises(JournalError):
            things.keeper.submit(lambda journal: journal.mark_delete_pending([number])).result()
    with pytest.raises(JournalError, match="not open"):
        things.keeper.submit(lambda journal: journal.id).result()


@trio_test
async def test_the_result_is_there_after_the_end_of_the_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_it: list[bool] = []
    async with kept(tmp_path) as things:
        real = Journal.transaction

        @contextmanager
        def transaction(journal: Journal) -> Iterator[None]:
            with real(journal):
                yield
                in_it.append(result._is_done.is_set())

        monkeypatch.setattr(Journal, "transaction", transaction)
        go_on = threading.Event()
        result = things.keeper.submit(lambda journal: go_on.wait(60))
        go_on.set()
        assert result.result()
    assert in_it == [False]


@pytest.mark.parametrize("who", ["threads", "trio"])
@trio_test
async def test_submitted_jobs_share_the_next_transaction(
    who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hold(journal: Journal) -> None:
        inside.set()
        go_on.wait(60)

    async with kept(tmp_path) as things:
        with counting(monkeypatch) as transactions:
            first = things.keeper.submit(hold)
            assert await trio.to_thread.run_sync(inside.wait, 60)
            if who == "trio":
                monkeypatch.setattr(things.keeper, "_start_submitted", lambda: None)
            others = [things.keeper.submit(lambda journal: journal.path) for _ in range(5)]
            async with trio.open_nursery() as nursery:
                if who == "trio":
                    nursery.start_soon(things.keeper.run, lambda journal: journal.path)
                go_on.set()
            await trio.to_thread.run_sync(first.result)
            for each in others:
                await trio.to_thread.run_sync(each.result)
            assert len(transactions) == 2


@trio_test
async def test_tasks_and_threads_never_use_it_at_the_same_time(tmp_path: Path) -> None:
    inside = 0

    def use(journal: Journal) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        time.sleep(0.001)
        inside -= 1

    async with kept(tmp_path) as things:
        futures: list[JournalFuture[None]] = []
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(things.keeper.run, use)
                futures.append(things.keeper.submit(use))
        for each in futures:
            await trio.to_thread.run_sync(each.result)


@trio_test
async def test_a_thread_for_which_there_is_no_other_does_it_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    async with kept(tmp_path) as things:
        with monkeypatch.context() as patch:
            patch.setattr(trio.lowlevel, "start_thread_soon", no_thread)
            assert things.keeper.submit(lambda journal: journal.path).result() == things.keeper.journal.path


@trio_test
async def test_what_threads_ask_for_waits_while_it_is_reopened(tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()
    async with kept(tmp_path) as things:
        await things.keeper.run(lambda journal: things.interrupted(journal, published=True))
        await break_it(things.keeper)
        record = things._record

        def slowly(lines: Sequence[str]) -> None:
            inside.set()
            go_on.wait(60)
            record(lines)

        things.keeper._audit = slowly
        async with trio.open_nursery() as nursery:
            nursery.start_soon(things.keeper.reopen_if_broken)
            assert await trio.to_thread.run_sync(inside.wait, 60)
            futures = things.keeper.submit(lambda journal: journal.records(1))
            go_on.set()
        (found,) = await trio.to_thread.run_sync(futures.result)
        assert found.state is MessageState.DELIVERED
