"""The keeper of the open journal: runs jobs in a thread, in shared transactions, and reopens a broken journal."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import trio

from tui_popretr.commit.blocking import BlockingWorkers
from tui_popretr.commit.recovery import Recovered, RecoveryResult, look_up, record_results, unexpected
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, JournalWithoutThread, out_of_threads
from tui_popretr.journal.ids import MessageIds
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop, Record

T = TypeVar("T")
#: Called with the error of a job, or None.
JobCallback = Callable[[BaseException | None], object]

#: Seconds in which a destination must answer when interrupted deliveries are looked up.
LOOKUP_TIMEOUT = 15.0
#: Seconds for closing.
CLOSE_TIMEOUT = 1.0


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """A function of the journal that a task or thread waits for."""

    function: Callable[[Journal], T]
    durable: bool = True
    done: trio.Event = field(default_factory=trio.Event)
    result: list[T] = field(default_factory=list)  # empty until it is done
    problem: BaseException | None = None

    def run(self, journal: Journal) -> None:
        try:
            self.result.append(self.function(journal))
        except BaseException as problem:  # noqa: BLE001 - reported to the caller; other jobs continue
            self.problem = problem

    def outcome(self) -> T:
        """Return the result, or raise the error."""
        if self.problem is not None:
            raise self.problem
        return self.result[0]


@dataclass(slots=True, eq=False)
class JournalFuture(Generic[T]):
    """The result of a job that another thread has submitted. `callback` is called in the journal's thread."""

    use: _Job[T]
    callback: JobCallback | None
    _is_done: threading.Event = field(default_factory=threading.Event)

    def result(self) -> T:
        """Wait until the job is done and durable. Raises what JournalKeeper.run() raises."""
        self._is_done.wait()
        return self.use.outcome()

    def set_done(self) -> None:
        """Wake the thread that waits, and call the callback."""
        self._is_done.set()
        if self.callback is not None:
            self.callback(self.use.problem)


class JournalKeeper:
    """Owns the open journal.

    Every access is a job: run() from trio, submit() from another thread. SQLite's calls block, so jobs run in a thread,
    one transaction at a time. Jobs that arrive meanwhile share the next transaction, and therefore one fsync. After a
    failed write nothing more is written until reopen_if_broken() has recovered the unfinished deliveries.
    """

    def __init__(
        self,
        path: str,
        audit: Callable[[Sequence[str]], None],
        now: Callable[[], int],
        disks: BlockingWorkers | None = None,
    ) -> None:
        self._path = path
        self._audit = audit
        self._now = now
        self._disks = disks or BlockingWorkers(LOOKUP_TIMEOUT)
        self._journal: Journal | None = None
        self._opening: Journal | None = None  # open, not recovered yet
        self._opened = False  # at least once
        self._ids = MessageIds()
        self._limiter = trio.CapacityLimiter(1)
        self._turn = trio.Lock()
        self._exclusive = threading.Lock()  # held while the journal is in use, in any thread
        self._submitted: deque[JournalFuture[Any]] = deque()  # by threads
        self._recovering = False  # it is being opened: submitted jobs wait
        self._waiting: list[_Job[Any]] = []
        self._working = False

    @property
    def journal(self) -> Journal:
        """The open journal, for calls without I/O (ids). Raises JournalError if it is not open."""
        if self._journal is None:
            raise JournalError("the journal is not open")
        return self._journal

    @property
    def sound(self) -> bool:
        """Whether the journal is open and no write to it has failed."""
        return self._journal is not None and not self._journal.broken

    async def open(self, opened: Callable[[], None] = lambda: None) -> list[Recovered]:
        """Open the journal and finish the interrupted deliveries. Raises JournalError.

        `opened` is called in the thread when the journal is locked, before audit lines are written.
        """
        async with self._turn:
            return await self._open(opened)

    async def reopen_if_broken(self) -> list[Recovered]:
        """Reopen and recover the journal if it broke. Raises JournalError where that fails.

        Nothing may be between its two commits (Committer.wait_until_none_publishing()).
        """
        async with self._turn:  # another session may have reopened it
            return [] if self.sound else await self._open(lambda: None)

    async def run(self, use: Callable[[Journal], T], *, durable: bool = True) -> T:
        """Call `use` with the journal in a thread. What it has written is durable on return.

        Without `durable` it survives the end of the process, but maybe not a power failure (Journal.without_fsync).
        Raises JournalError, and what `use` raises. After an error some of it may have been written.
        """
        waiting = _Job(use, durable)
        self._waiting.append(waiting)
        if not self._working:
            self._working = True
            # A system task: the cancellation of one caller must not end it for the others.
            trio.lowlevel.spawn_system_task(self._work)
        try:
            await waiting.done.wait()
        except trio.Cancelled:
            if waiting in self._waiting:  # not begun
                self._waiting.remove(waiting)
            raise
        return waiting.outcome()

    def submit(self, use: Callable[[Journal], T], callback: JobCallback | None = None) -> JournalFuture[T]:
        """The same for other threads. Returns at once; the future has the result when it is durable.

        `callback` is then called in the journal's thread, before the next job, with the error or None.
        """
        future = JournalFuture(_Job(use), callback)
        self._submitted.append(future)
        self._start_submitted()
        return future

    def _start_submitted(self) -> None:
        try:
            trio.lowlevel.start_thread_soon(lambda: self._exclusively(self._run_all), lambda _: None, "journal")
        except RuntimeError:  # no thread can be started
            self._exclusively(self._run_all)

    async def _work(self) -> None:
        """Run jobs until none is waiting."""
        try:
            while self._waiting:
                async with self._turn:
                    uses, self._waiting = self._waiting, []
                    await self._run_in_thread(uses)
                for use in uses:
                    use.done.set()
        finally:
            self._working = False

    async def _run_in_thread(self, uses: list[_Job[Any]]) -> None:
        try:
            await self._in_thread(lambda: self._run_all(uses))
        except Exception as problem:  # noqa: BLE001 - no thread can be started: the jobs fail
            for use in uses:
                use.problem = problem

    def _run_all(self, uses: Sequence[_Job[Any]] = ()) -> None:
        """Run these and all submitted jobs in one transaction."""
        futures = [] if self._recovering else [self._submitted.popleft() for _ in range(len(self._submitted))]
        uses = [*uses, *(each.use for each in futures)]
        if uses:
            self._run_in_transaction(uses)
        for each in futures:
            each.set_done()

    def _run_in_transaction(self, uses: Sequence[_Job[Any]]) -> None:
        try:
            journal = self.journal
            durable = any(use.durable for use in uses)
            with contextlib.nullcontext() if durable else journal.without_fsync(), journal.transaction():
                for use in uses:
                    use.run(journal)
        except BaseException as problem:  # noqa: BLE001 - as above
            for use in uses:
                use.problem = use.problem or problem

    async def open_maildrop(self, key: Maildrop) -> tuple[int, list[Recovered]]:
        """Return the id of a maildrop, with its interrupted deliveries recovered. Raises JournalError."""

        def find(journal: Journal) -> tuple[int, list[tuple[int, Record]]]:
            number = journal.maildrop(key)
            return number, [(owner, record) for owner, record in journal.delivering() if owner == number]

        number, interrupted = await self.run(find)
        results = await self._look_up(interrupted)
        if results:
            await self.run(lambda journal: record_results(journal, results, self._audit))
        return number, results

    async def close(self) -> None:
        """Close the journal, within CLOSE_TIMEOUT. May be called again."""
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
            try:
                await self._in_thread(self._close)
            except JournalWithoutThread:
                self._close()

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # After a cancellation the call goes on. The limiter has one thread, so the next job waits for it.
        do, limiter = self._exclusively, self._limiter
        try:
            return await trio.to_thread.run_sync(do, function, limiter=limiter, abandon_on_cancel=True)
        except RuntimeError as problem:
            if (limit := out_of_threads(problem)) is None:
                raise
            raise JournalWithoutThread(str(limit), advice=limit.advice) from problem

    def _exclusively(self, function: Callable[[], T]) -> T:
        with self._exclusive:
            return function()

    async def _open(self, opened: Callable[[], None]) -> list[Recovered]:
        self._recovering = True
        try:
            return await self._open_and_recover(opened)
        except Exception:
            await self._in_thread(self._close)  # only in that thread, which may still be using it after a cancellation
            raise
        finally:
            self._recovering = False
            if self._submitted:
                self._start_submitted()

    async def _open_and_recover(self, opened: Callable[[], None]) -> list[Recovered]:
        journal, interrupted = await self._in_thread(lambda: self._open_file(opened))
        results = await self._look_up(interrupted)
        if results:
            await self._in_thread(lambda: record_results(journal, results, self._audit))
        self._journal, self._opening = journal, None
        return results

    def _open_file(self, opened: Callable[[], None]) -> tuple[Journal, list[tuple[int, Record]]]:
        self._close()
        self._opening = journal = Journal.open(self._path, make=not self._opened, ids=self._ids)
        self._opened = True
        opened()
        return journal, journal.delivering()

    async def _look_up(self, interrupted: list[tuple[int, Record]]) -> list[Recovered]:
        """Look up each folder in a thread of its own: one that hangs delays only its own messages."""
        folders: dict[str, list[tuple[int, Record]]] = {}
        for entry in interrupted:
            folders.setdefault(os.path.dirname(entry[1].final or ""), []).append(entry)
        results: list[Recovered] = []

        async def look(folder: str, entries: list[tuple[int, Record]]) -> None:
            problem: DeliveryFailed = DestinationTimeout(f"{folder} has not answered for {LOOKUP_TIMEOUT:g} s")
            try:
                with trio.move_on_after(LOOKUP_TIMEOUT):
                    results.extend(await self._disks.of(folder, folder).run(look_up, entries, self._now()))
                    return
            except DestinationTimeout as silence:
                problem = silence
            except Exception as defect:  # noqa: BLE001 - the other folders are not concerned
                problem = unexpected(defect, folder)
            results.extend(Recovered(owner, record, RecoveryResult.UNKNOWN, problem) for owner, record in entries)

        async with trio.open_nursery() as nursery:
            for folder, entries in folders.items():
                nursery.start_soon(look, folder, entries)
        return results

    def _close(self) -> None:
        """Close the open journal, and one whose opening was cancelled. Only in the journal's thread."""
        journals, self._journal, self._opening = (self._journal, self._opening), None, None
        for journal in journals:
            if journal is not None:
                journal.close()


_RECOVERIES = {
    RecoveryResult.FOUND: "was delivered already",
    RecoveryResult.PUBLISHED: "is delivered now",
    RecoveryResult.CONSUMED: "was delivered already, and a mail reader has taken it",
    RecoveryResult.REDELIVER: "was not delivered, and will be retrieved again",
    RecoveryResult.IN_DOUBT: "was being sent, and the server or command may have it; it will be sent again",
    RecoveryResult.UNKNOWN: "may have been delivered, but its folder cannot be examined",
}


def recovery_text(recovered: Recovered) -> str:
    """Return a sentence about an interrupted delivery, for the log."""
    text = f"interrupted delivery of message {recovered.record.id} recovered: it {_RECOVERIES[recovered.outcome]}"
    return f"{text} ({recovered.error})" if recovered.error is not None else text
