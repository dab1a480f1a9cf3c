"""Writing the audit lines of messages that were published, before the journal records them as delivered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import trio

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import timed_out
from tui_popretr.commit.queue import PendingDelivery, internal_error
from tui_popretr.errors import DestinationTimeout, out_of_threads
from tui_popretr.faultpoints import Step
from tui_popretr.journal import thread
from tui_popretr.journal.thread import Job, settle

#: Gets the messages whose lines were written: all, or none after an error.
Written = Callable[[list[PendingDelivery]], object]


class AuditWriter:
    """One per process, with a thread. `audit` hands lines to the system before it returns; it is called in the thread.

    `timeout` is in seconds: a disk that hangs fails the messages, and holds up nothing else. Without an audit log
    (`wanted` returns False) nothing is written, and no thread is needed.
    """

    def __init__(
        self,
        audit: Callable[[Sequence[str]], None],
        timeout: float,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._audit = audit
        self._timeout = timeout
        self._wanted = wanted
        self._worker: thread.Worker | None = None

    async def write(self, published: list[PendingDelivery]) -> list[PendingDelivery]:
        """Write the lines; return the messages, or none after an error.

        The messages are then finished with the error. Their records stay, so recovery will write the lines.
        """
        written: list[PendingDelivery] = []
        job = self.begin(published, written.extend)
        if job is not None:
            try:
                await self.wait(job)
            except trio.Cancelled:
                job.abandoned = True
                raise
        return written

    def begin(self, published: list[PendingDelivery], then: Written) -> Job[None] | None:
        """Begin write() without waiting for it. `then` gets its result. The timeout counts only in wait().

        Returns None if there was nothing to write.
        """
        if not (published and self._wanted()):
            then(_written(published, None))
            return None
        lines = [f"{each.record.audit}{each.receipt}" for each in published]
        job: Job[None] = Job(lambda _: self._audit(lines), then=lambda job: then(_written(published, job.problem)))
        try:
            if self._worker is None:
                self._token = trio.lowlevel.current_trio_token()
                self._worker = thread.Worker(self._run, "audit log")
        except RuntimeError as problem:
            limit = out_of_threads(problem)
            job.problem = problem if limit is None else DestinationTimeout(str(limit), advice=limit.advice)
            settle([job])
        else:
            self._worker.put(job)
        return job

    async def wait(self, job: Job[None]) -> None:
        """Wait for the end of a job, or give it up when the timeout expires."""
        if not job.done.is_set():
            with trio.move_on_after(self._timeout):
                await job.done.wait()
            if not job.done.is_set():
                job.abandoned, job.problem = True, timed_out("the audit log", self._timeout)
                settle([job])
        if job.defect is not None:
            raise job.defect

    def close(self) -> None:
        """End the thread when it has written what was begun. A further begin() starts another one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.put(Job(lambda _: None, last=True))

    def _run(self, batch: Sequence[Job[Any]]) -> None:
        for job in batch:
            if not job.abandoned:
                job.run(None)
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(settle, batch)


def _written(published: list[PendingDelivery], problem: BaseException | None) -> list[PendingDelivery]:
    if problem is None:
        if published:
            faultpoints.reached(Step.AUDITED)
        return published
    if not isinstance(problem, Exception):
        raise problem
    error = problem if isinstance(problem, DestinationTimeout) else internal_error(problem)
    for delivery in published:
        delivery.finish(error)
    return []
