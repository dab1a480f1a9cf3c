"""Blocking calls for a destination: so many at once, and one that does not answer in time is left behind.

A destination that hangs (a network file system that is gone) must cost the clients of other destinations nothing: each
has threads of its own. A call that was left behind keeps its place until it ends, so that a destination that hangs for
days holds a few threads, and not one more for each session.
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


class Disk:
    """Runs blocking calls in threads. `patience` is in seconds, None for calls that end by themselves."""

    def __init__(self, name: str, threads: int, patience: float | None) -> None:
        self._name = name
        self._patience = patience
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[..., T], *arguments: object, late: Callable[[], object] | None = None) -> T:
        """Call it; raises DestinationTimeout when there was no answer in time, and what the call raises.

        After that, and after a cancellation, the call may still be going on. `late` is called in a thread after a call
        that was given up: when it ends, or where it had not begun, some day when there is a thread for it.
        """
        turn = Lock()
        begun = ended = given_up = False

        def work() -> T:
            nonlocal begun, ended
            begun = True
            try:
                return function(*arguments)
            finally:
                with turn:
                    ended = True
                    is_late = given_up
                if is_late and late is not None:
                    late()

        with trio.move_on_after(float("inf") if self._patience is None else self._patience):
            try:
                return await trio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
            except RuntimeError as problem:
                if (limit := out_of_threads(problem)) is None:
                    raise
                if late is not None:
                    self.some_day(late)
                raise DestinationTimeout(str(limit), advice=limit.advice) from problem
        with turn:
            given_up = True
            nobody = ended or not begun
        if nobody and late is not None:
            self.some_day(late)
        raise DestinationTimeout(
            f"{self._name} has not answered for {self._patience:g} s",
            advice="see whether its disk or network file system is well; the messages stay on the server until then",
        )

    def some_day(self, function: Callable[[], object]) -> None:
        """Call it when there is a thread for it; nobody waits for that, or hears of what goes wrong."""
        trio.lowlevel.spawn_system_task(self._some_day, function)

    async def _some_day(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(Exception):
            await trio.to_thread.run_sync(function, limiter=self._limiter, abandon_on_cancel=True)


class Disks:
    """The threads of all destinations: one each, and only while somebody uses it."""

    def __init__(self, patience: float) -> None:
        #: Seconds after which a destination counts as silent.
        self.patience = patience
        self._disks: WeakValueDictionary[str, Disk] = WeakValueDictionary()

    def of(self, key: str, name: str) -> Disk:
        """Return the thread of a destination: one, so that what uses one draft never does so in two threads."""
        disk = self._disks.get(key)
        if disk is None:
            self._disks[key] = disk = Disk(name, 1, self.patience)
        return disk
