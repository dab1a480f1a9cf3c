"""Blocking calls for a destination, in a limited number of threads and with a timeout.

A destination that hangs (for example a network file system whose server is gone) must not delay the clients of other
destinations, so each destination has its own threads. A call that has timed out keeps its thread until it ends: a
destination that hangs for days holds a few threads, not one more for each session.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Lock
from typing import TypeVar
from weakref import WeakValueDictionary

import trio

from tui_popretr.errors import DestinationTimeout, out_of_threads

T = TypeVar("T")


class BlockingWorker:
    """Runs blocking calls in threads. `timeout` is in seconds."""

    def __init__(self, name: str, threads: int, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._limiter = trio.CapacityLimiter(threads)

    async def run(
        self, function: Callable[..., T], *arguments: object, cleanup: Callable[[], object] | None = None
    ) -> T:
        """Call the function. Raises DestinationTimeout when the timeout expires, and what the call raises.

        After a timeout or a cancellation the call may still be running. `cleanup` is then called in a thread: when the
        call ends, or, if it has not begun, when a thread is free.
        """
        lock = Lock()
        begun = ended = given_up = False

        def work() -> T:
            nonlocal begun, ended
            begun = True
            try:
                return function(*arguments)
            finally:
                with lock:
                    ended = True
                    is_late = given_up
                if is_late and cleanup is not None:
                    cleanup()

        with trio.move_on_after(self._timeout):
            try:
                return await trio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
            except RuntimeError as problem:
                if (limit := out_of_threads(problem)) is None:
                    raise
                if cleanup is not None:
                    self.run_in_background(cleanup)
                raise DestinationTimeout(str(limit), advice=limit.advice) from problem
        with lock:
            given_up = True
            no_thread = ended or not begun
        if no_thread and cleanup is not None:
            self.run_in_background(cleanup)
        raise timed_out(self._name, self._timeout)

    def run_in_background(self, function: Callable[[], object]) -> None:
        """Call the function when a thread is free. Its result and its errors are ignored."""
        trio.lowlevel.spawn_system_task(self._run_in_background, function)

    async def _run_in_background(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(Exception):
            await trio.to_thread.run_sync(function, limiter=self._limiter, abandon_on_cancel=True)


def timed_out(name: str, timeout: float) -> DestinationTimeout:
    """Return the error for a destination that has not answered within `timeout` seconds."""
    return DestinationTimeout(
        f"{name} has not answered for {timeout:g} s",
        advice="see whether its disk or network file system is well; the messages stay on the server until then",
    )


class BlockingWorkers:
    """The workers of all destinations: one thread each, kept while a session uses it."""

    def __init__(self, timeout: float) -> None:
        #: Seconds after which a call raises DestinationTimeout.
        self.timeout = timeout
        self._workers: WeakValueDictionary[str, BlockingWorker] = WeakValueDictionary()

    def of(self, key: str, name: str) -> BlockingWorker:
        """Return the worker of a destination. It has one thread, so a draft is never used in two threads at once."""
        worker = self._workers.get(key)
        if worker is None:
            self._workers[key] = worker = BlockingWorker(name, 1, self.timeout)
        return worker
