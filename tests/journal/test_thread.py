"""The journal's thread: one connection, jobs that share a transaction, opening and closing."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import trio_test, wait_all_tasks_blocked

from tui_popretr.errors import JournalError, JournalLocked, JournalWithoutThread
from tui_popretr.journal import thread as thread_module
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.journal.thread import CLOSE_TIMEOUT, JournalThread, RunJob

KEY = Maildrop.of("pop.example.test", 110, "me", "maildir:/mail")


class Gate:
    """Holds the journal's thread."""

    def __init__(self) -> None:
        self._inside, self._go_on = threading.Event(), threading.Event()

    def hold(self, *_: object) -> None:
        self._inside.set()
        self._go_on.wait(60)

    async def reached(self) -> None:
        assert await trio.to_thread.run_sync(self._inside.wait, 60)

    def release(self) -> None:
        self._go_on.set()


async def nothing(run: RunJob) -> str:
    """A recovery that has nothing to do."""
    return "recovered"


def thread_of(folder: Path) -> JournalThread:
    return JournalThread(str(folder / "popretr.sqlite"))


def fail(_: object) -> None:
    raise ZeroDivisionError


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[JournalThread]:
    journal = thread_of(folder)
    await journal.open(nothing)
    try:
        yield journal
    finally:
        await journal.close()


def assert_unlocked(folder: Path) -> None:
    Journal.open(str(folder / "popretr.sqlite")).close()


def remove_journal(folder: Path) -> None:
    for path in folder.glob("popretr.sqlite*"):
        path.unlink()


async def break_it(journal: JournalThread) -> None:
    def broken(journal: Journal) -> None:
        with journal._writing() as connection:
            connection.execute("SELECT 1 FROM no_such_table")

    with pytest.raises(JournalError):
        await journal.run(broken)
    assert journal.broken


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


# --- jobs -------------------------------------------------------------------------------------------------------------


@trio_test
async def test_jobs_run_in_one_thread_one_at_a_time(tmp_path: Path) -> None:
    threads: list[int] = []
    inside = 0

    def use(journal: Journal) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        threads.append(threading.get_ident())
        inside -= 1

    async with opened(tmp_path) as journal, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(journal.run, use)
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


@trio_test
async def test_a_job_returns_its_result_or_its_error(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        assert await journal.run(lambda each: each.id) == journal.id
        with pytest.raises(ZeroDivisionError):
            await journal.run(lambda each: 1 // 0)
        assert await journal.run(lambda each: each.id) == journal.id


@trio_test
async def test_waiting_jobs_share_a_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    async with opened(tmp_path) as journal:
        with counting(monkeypatch) as transactions:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(journal.run, gate.hold)
                await gate.reached()
                for _ in range(5):
                    nursery.start_soon(journal.run, lambda each: each.path)
                await wait_all_tasks_blocked()
                gate.release()
            assert len(transactions) == 2


@pytest.mark.parametrize(("durable", "level"), [((True,), 2), ((False,), 1), ((False, True), 2), ((False, False), 1)])
@trio_test
async def test_one_job_that_needs_it_brings_the_fsync(durable: tuple[bool, ...], level: int, tmp_path: Path) -> None:
    gate, levels = Gate(), list[int]()

    def job(journal: Journal) -> None:
        levels.append(journal._connection.execute("PRAGMA synchronous").fetchone()[0])

    async with opened(tmp_path) as journal, trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, gate.hold)
        await gate.reached()
        for each in durable:
            nursery.start_soon(partial(journal.run, job, durable=each))
        await wait_all_tasks_blocked()
        gate.release()
    assert levels == [level] * len(durable)


@trio_test
async def test_a_job_is_settled_when_it_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Journal.transaction
    settled: list[bool] = []
    finished = trio.Event()

    @contextmanager
    def transaction(journal: Journal) -> Iterator[None]:
        with real(journal):
            yield
            trio.from_thread.run(trio.lowlevel.checkpoint, trio_token=token)
            settled.append(finished.is_set())

    token = trio.lowlevel.current_trio_token()
    async with opened(tmp_path) as journal:
        monkeypatch.setattr(Journal, "transaction", transaction)
        await journal.run(lambda each: each.maildrop(KEY))
        finished.set()
    assert settled == [False]


@trio_test
async def test_if_the_transaction_fails_all_its_jobs_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, gate = Journal.transaction, Gate()
    failed: list[int] = []

    @contextmanager
    def failing(journal: Journal) -> Iterator[None]:
        with real(journal):
            yield
        raise JournalError("the disk reports an error")

    async def work(number: int) -> None:
        try:
            await journal.run(lambda each: each.path)
        except JournalError:
            failed.append(number)

    async with opened(tmp_path) as journal, trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, gate.hold)
        await gate.reached()
        monkeypatch.setattr(Journal, "transaction", failing)
        for number in range(3):
            nursery.start_soon(work, number)
        await wait_all_tasks_blocked()
        gate.release()
    assert sorted(failed) == [0, 1, 2]


@trio_test
async def test_a_job_cancelled_before_it_begins_is_not_run(tmp_path: Path) -> None:
    gate, ran = Gate(), []
    async with opened(tmp_path) as journal, trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, gate.hold)
        await gate.reached()
        with trio.CancelScope() as scope:
            scope.cancel()
            await journal.run(lambda each: ran.append("cancelled"))
        nursery.start_soon(journal.run, lambda each: ran.append("other"))
        await wait_all_tasks_blocked()
        gate.release()
    assert ran == ["other"]


@trio_test
async def test_no_id_is_returned_twice(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        ids = [journal.next_id() for _ in range(5)]  # none of them is in the journal yet
        await break_it(journal)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.open, nothing)
            for _ in range(50):
                ids.append(journal.next_id())
                await trio.lowlevel.checkpoint()
        ids.append(journal.next_id())
        assert len(set(ids)) == len(ids)


# --- opening ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_before_it_is_open_jobs_fail(tmp_path: Path) -> None:
    journal = thread_of(tmp_path)
    assert journal.broken
    with pytest.raises(JournalError, match="not open"):
        await journal.run(lambda each: each.id)
    await journal.close()


@trio_test
async def test_a_journal_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path):
        other = thread_of(tmp_path)
        with pytest.raises(JournalLocked):
            await other.open(nothing)
        with pytest.raises(JournalError, match="not open"):
            await other.run(lambda each: each.id)
        await other.close()


@trio_test
async def test_without_a_thread_it_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    journal = thread_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(JournalWithoutThread):
            await journal.open(nothing)
    await journal.open(nothing)
    await journal.close()


@trio_test
async def test_a_journal_that_is_not_broken_is_left_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        before = journal._journal
        assert await journal.open(nothing) is None
        assert journal._journal is before


@trio_test
async def test_a_broken_journal_fails_until_it_is_opened_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await break_it(journal)
        with pytest.raises(JournalError):
            await journal.run(lambda each: each.maildrop(KEY))
        await journal.open(nothing)
        assert await journal.run(lambda each: each.maildrop(KEY)) == 1


@trio_test
async def test_jobs_wait_until_it_is_recovered(tmp_path: Path) -> None:
    steps: list[str] = []

    async def recover(run: RunJob) -> str:
        nursery.start_soon(journal.run, lambda each: steps.append("job"))
        await wait_all_tasks_blocked()
        await run(lambda each: steps.append("recovery"))
        await wait_all_tasks_blocked()
        return "recovered"

    journal = thread_of(tmp_path)
    async with trio.open_nursery() as nursery:
        assert await journal.open(recover, lambda: steps.append("opened")) == "recovered"
    assert steps == ["opened", "recovery", "job"]
    await journal.close()


@trio_test
async def test_two_tasks_open_it_once(tmp_path: Path) -> None:
    recoveries: list[int] = []

    async def recover(run: RunJob) -> None:
        await trio.lowlevel.checkpoint()
        recoveries.append(1)

    async with opened(tmp_path) as journal:
        await break_it(journal)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(journal.open, recover)
    assert recoveries == [1]


@trio_test
async def test_a_failed_recovery_closes_it(tmp_path: Path) -> None:
    async def fail(run: RunJob) -> None:
        raise JournalError("no audit log")

    journal = thread_of(tmp_path)
    with pytest.raises(JournalError, match="no audit log"):
        await journal.open(fail)
    assert_unlocked(tmp_path)
    assert journal.broken
    await journal.open(nothing)
    await journal.close()


@trio_test
async def test_a_cancelled_opening_is_closed_by_the_thread(tmp_path: Path) -> None:
    gate = Gate()
    journal = thread_of(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.open, nothing, gate.hold)
        await gate.reached()
        nursery.cancel_scope.cancel()
    gate.release()
    await journal.open(nothing)
    await journal.close()
    assert_unlocked(tmp_path)


@trio_test
async def test_a_missing_journal_is_created_only_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await break_it(journal)
        remove_journal(tmp_path)
        with pytest.raises(JournalError, match="is gone"):
            await journal.open(nothing)


# --- closing ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_it_is_closed_also_when_cancelled_and_may_be_repeated(tmp_path: Path) -> None:
    journal = thread_of(tmp_path)
    await journal.open(nothing)
    with trio.CancelScope() as scope:
        scope.cancel()
        await journal.close()
    await journal.close()
    assert_unlocked(tmp_path)
    with pytest.raises(JournalError, match="not open"):
        await journal.run(lambda each: each.id)


@trio_test
async def test_its_thread_ends_when_it_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        running = await journal.run(lambda each: threading.current_thread())
        assert (running.name, running.daemon) == ("journal", True)
    await trio.to_thread.run_sync(running.join, 60)
    assert not running.is_alive()


@trio_test
async def test_a_disk_that_hangs_delays_closing_by_its_timeout(tmp_path: Path) -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:
        journal = thread_of(tmp_path)
        await journal.open(nothing)
        nursery.start_soon(journal.run, gate.hold)
        await gate.reached()
        start = trio.current_time()
        await journal.close()
        assert trio.current_time() - start >= CLOSE_TIMEOUT
        with pytest.raises(JournalError, match="not open"):
            await journal.run(lambda each: each.id)
        nursery.cancel_scope.cancel()
    gate.release()


def test_a_thread_outlives_trio_without_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    gate = Gate()
    threads: list[threading.Thread] = []

    def hold(_: object) -> None:
        threads.append(threading.current_thread())
        gate.hold()

    async def main() -> None:
        journal = thread_of(tmp_path)
        await journal.open(nothing)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run, hold)
            await gate.reached()
            nursery.cancel_scope.cancel()
        await journal.close()

    trio.run(main)
    gate.release()
    threads[0].join(60)
    assert_unlocked(tmp_path)
    assert capfd.readouterr() == ("", "")


# --- in place ---------------------------------------------------------------------------------------------------------


class InPlace(thread_module.Worker):
    """Runs each job at once, in the caller's thread."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def put(self, job: thread_module.Job[Any]) -> None:
        self._run([job])


@trio_test
async def test_the_thread_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_module, "Worker", InPlace)
    async with opened(tmp_path) as journal:
        assert await journal.run(lambda each: threading.current_thread()) is threading.current_thread()


@trio_test
async def test_the_thread_gets_the_jobs_of_a_round_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would begin a transaction with the first."""
    steps: list[str] = []

    async def ask(journal: JournalThread) -> None:
        steps.append("asked")
        await journal.run(lambda each: steps.append("done"))

    monkeypatch.setattr(thread_module, "Worker", InPlace)
    async with opened(tmp_path) as journal:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, journal)
        assert steps == ["asked"] * 3 + ["done"] * 3


@trio_test
async def test_a_submitted_job_calls_then_without_a_task(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        ended: list[int] = []
        job = journal.submit(lambda _: 7, lambda job: ended.append(job.outcome()))
        await job.done.wait()
        assert ended == [7]


@trio_test
async def test_what_then_raises_is_raised_to_the_task_that_waits(tmp_path: Path) -> None:
    """Other jobs of the batch are settled nevertheless."""
    async with opened(tmp_path) as journal:
        bad, good = journal.submit(lambda _: 7, fail), journal.submit(lambda _: 8)
        with pytest.raises(ZeroDivisionError):
            await bad.wait()
        assert await good.wait() == 8


@trio_test
async def test_a_job_submitted_during_the_opening_runs_after_it(tmp_path: Path) -> None:
    journal = thread_of(tmp_path)
    order: list[str] = []

    async def recover(run: RunJob) -> None:
        journal.submit(lambda _: order.append("submitted"))
        await run(lambda _: order.append("recovery"))

    await journal.open(recover)
    await journal.run(lambda _: None)
    assert order == ["recovery", "submitted"]
    await journal.close()


@trio_test
async def test_a_job_submitted_after_close_fails(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        pass
    with pytest.raises(JournalError):
        await journal.submit(lambda _: None).wait()


@trio_test
async def test_the_thread_gets_a_submitted_job_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And before it those that wait for the end of the round."""
    steps: list[str] = []
    monkeypatch.setattr(thread_module, "Worker", InPlace)
    async with opened(tmp_path) as journal:
        journal._put(thread_module.Job(lambda each: steps.append("waiting")))
        assert not steps
        journal.submit(lambda each: steps.append("submitted"))
        assert steps == ["waiting", "submitted"]
