"""The journal's thread: the only one that uses the SQLite connection, and the only way to it.

Terminology:

- *job*: a function of the open Journal that a task waits for (JournalThread.run).
- *batch*: the jobs that wait when the thread becomes free. They share a transaction, and therefore one fsync.
- *opening*: from the job that opens the file to the end of its recovery. Other jobs wait until then.

The thread sleeps in its queue. A batch is settled when it is durable: all its tasks are woken by one call of trio. If
the transaction fails, all its jobs fail, and the journal is broken: further jobs fail until open() has opened the file
again and `recover` has decided what became of the unfinished deliveries (commit/recovery.py).

It is a daemon thread: a disk that hangs must not hold up the end of the process.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import trio

from tui_popretr.errors import JournalError, JournalWithoutThread, out_of_threads
from tui_popretr.journal.ids import MessageIds
from tui_popretr.journal.journal import Journal

T = TypeVar("T")

#: Seconds for closing.
CLOSE_TIMEOUT = 1.0


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """A function that a task waits for."""

    function: Callable[[Any], T]
    #: Its transaction ends with an fsync. In a batch, one such job is enough.
    durable: bool = True
    #: It opens or closes the file, so it is in no transaction; its argument is None.
    alone: bool = False
    #: The thread ends after it.
    last: bool = False
    #: Called in trio's loop when it is done, before tasks that wait for it.
    then: Callable[[Job[T]], object] | None = None
    #: It is not needed any more, so it is not begun.
    abandoned: bool = False
    done: trio.Event = field(default_factory=trio.Event)
    result: list[T] = field(default_factory=list)  # empty until it is done
    problem: BaseException | None = None
    #: What `then` raised.
    defect: BaseException | None = None

    def run(self, argument: Journal | None) -> None:
        try:
            self.result.append(self.function(argument))
        except BaseException as problem:  # noqa: BLE001 - reported to the caller; other jobs continue
            self.problem = problem

    async def wait(self) -> T:
        """Return the result, or raise the error. After a cancellation the job is not begun."""
        try:
            await self.done.wait()
        except trio.Cancelled:
            self.abandoned = True
            raise
        return self.outcome()

    def outcome(self) -> T:
        """Return the result, or raise the error."""
        if (problem := self.defect or self.problem) is not None:
            raise problem
        return self.result[0]


class Worker:
    """A thread with a queue. `run` is called with each batch. Raises RuntimeError if no thread can be started."""

    def __init__(self, run: Callable[[list[Job[Any]]], None], name: str = "journal") -> None:
        self._run = run
        self._queue: queue.SimpleQueue[Job[Any]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def put(self, job: Job[Any]) -> None:
        self._queue.put(job)

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while not batch[-1].last:
                    batch.append(self._queue.get_nowait())
            self._run(batch)
            if batch[-1].last:
                return


class RunJob(Protocol):
    """JournalThread.run, for recovery."""

    async def __call__(self, function: Callable[[Journal], T], *, durable: bool = True) -> T: ...


class JournalThread:
    """Owns the open journal. For the tasks of one trio.run()."""

    def __init__(self, path: str) -> None:
        #: The journal's id (Journal.id), "" before the first opening.
        self.id = ""
        self._path = path
        self._ids = MessageIds()
        self._worker: Worker | None = None
        self._journal: Journal | None = None  # set and used in the thread
        self._gathered: list[Job[Any]] = []  # not given to the thread yet
        self._opened = False  # at least once
        self._opening = trio.Lock()
        self._deferred: list[Job[Any]] | None = None  # jobs that wait for the end of the opening; None: there is none

    @property
    def broken(self) -> bool:
        """Whether the journal is not open, or a write has failed: open() is necessary."""
        return self._journal is None or self._journal.broken

    def next_id(self) -> int:
        """Return an id that no message of this journal has or had. From any thread. Unused ids are only gaps."""
        return self._ids.next()

    async def run(self, function: Callable[[Journal], T], *, durable: bool = True) -> T:
        """Call `function` with the journal in its thread. What it has written is durable on return.

        Without `durable` it survives the end of the process, but maybe not a power failure (Journal.without_fsync).
        Raises JournalError, and what `function` raises. After an error some of it may have been written. A job that is
        cancelled before it begins is not run.
        """
        job = Job(function, durable)
        self._submit(job)
        return await job.wait()

    def submit(
        self,
        function: Callable[[Journal], T],
        then: Callable[[Job[T]], object] | None = None,
        *,
        durable: bool = True,
    ) -> Job[T]:
        """Begin run() without waiting for it. The thread gets the job at once, not with jobs of other tasks.

        `then` is called in trio's loop when the job is done.
        """
        job = Job(function, durable, then=then)
        self._submit(job, at_once=True)
        return job

    async def open(
        self, recover: Callable[[RunJob], Awaitable[T]], opened: Callable[[], object] = lambda: None
    ) -> T | None:
        """Open the journal if it is not open or broken, and return what `recover` returns. Raises JournalError.

        `recover` gets a run() that does not wait for the end of the opening. If it raises, the journal is closed.
        `opened` is called in the thread when the file is locked, before `recover`.
        """
        async with self._opening:  # another task may have opened it
            if not self.broken:
                return None
            if self._worker is None:
                self._worker = self._start()
            self._deferred = []
            try:
                await self._wait(Job(lambda _: self._open_file(opened), alone=True))
                return await recover(self._run_now)
            except BaseException:
                await self._wait(Job(lambda _: self._close_file(), alone=True))
                raise
            finally:
                deferred, self._deferred = self._deferred, None
                for job in deferred:
                    self._put(job)

    async def close(self) -> None:
        """Close the journal for good, within CLOSE_TIMEOUT. May be called again."""
        self._hand_over()
        worker, self._worker = self._worker, None
        if worker is not None:
            closing = Job(lambda _: self._close_file(), alone=True, last=True)
            worker.put(closing)
            with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await closing.done.wait()

    # --- in tasks -----------------------------------------------------------------------------------------------------

    async def _run_now(self, function: Callable[[Journal], T], *, durable: bool = True) -> T:
        job = Job(function, durable)
        self._put(job)
        return await job.wait()

    async def _wait(self, job: Job[T]) -> T:
        self._put(job)
        await job.done.wait()
        return job.outcome()

    def _submit(self, job: Job[Any], *, at_once: bool = False) -> None:
        if self._deferred is None:
            self._put(job, at_once=at_once)
        else:
            self._deferred.append(job)

    def _put(self, job: Job[Any], *, at_once: bool = False) -> None:
        if self._worker is None:
            job.problem = _not_open()
            settle([job])
            return
        self._gathered.append(job)
        if at_once:
            self._hand_over()
        elif len(self._gathered) == 1:
            self._token.run_sync_soon(self._hand_over)

    def _hand_over(self) -> None:
        """Give the thread the jobs of this round together: woken by the first, it would take only that one."""
        jobs, self._gathered = self._gathered, []
        for job in jobs:
            assert self._worker is not None
            self._worker.put(job)

    def _start(self) -> Worker:
        self._token = trio.lowlevel.current_trio_token()
        try:
            return Worker(self._run_batch)
        except RuntimeError as problem:
            if (limit := out_of_threads(problem)) is None:
                raise
            raise JournalWithoutThread(str(limit), advice=limit.advice) from problem

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run_batch(self, batch: Sequence[Job[Any]]) -> None:
        for alone, group in itertools.groupby(batch, lambda job: job.alone):
            jobs = [job for job in group if not job.abandoned]
            if alone:
                for job in jobs:
                    job.run(None)
            elif jobs:
                self._run_in_transaction(jobs)
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(settle, jobs)

    def _run_in_transaction(self, jobs: Sequence[Job[Any]]) -> None:
        try:
            if self._journal is None:
                raise _not_open()
            with_fsync = any(job.durable for job in jobs)
            with contextlib.nullcontext() if with_fsync else self._journal.without_fsync(), self._journal.transaction():
                for job in jobs:
                    job.run(self._journal)
        except BaseException as problem:  # noqa: BLE001 - as above
            for job in jobs:
                job.problem = job.problem or problem

    def _open_file(self, opened: Callable[[], object]) -> None:
        self._close_file()
        self._journal = Journal.open(self._path, make=not self._opened, ids=self._ids)
        self._opened = True
        self.id = self._journal.id
        opened()

    def _close_file(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def settle(jobs: Sequence[Job[Any]]) -> None:
    """Report that the jobs are done. Does nothing for those that are already settled."""
    for job in jobs:
        if not job.done.is_set():
            try:
                if job.then is not None:
                    job.then(job)
            except BaseException as defect:  # noqa: BLE001 - reported to the task that waits; trio would end
                job.defect = defect
            job.done.set()


def _not_open() -> JournalError:
    return JournalError("the journal is not open")
