"""Blocking calls for a destination: so many at once, and one that does not answer in time is left behind.

A destination that hangs (a network file system that is gone) must cost the clients of other destinations nothing: each
has threads of its own. A call that was left behind keeps its place until it ends, so that a destination that hangs for
days holds a few threads, and not one more for each session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

import trio

from tui_popretr.errors import DestinationSilent

T = TypeVar("T")


class Disk:
    """Runs blocking calls in threads. `patience` is in seconds, None for calls that end by themselves."""

    def __init__(self, name: str, threads: int, patience: float | None) -> None:
        self._name = name
        self._patience = patience
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call it; raises DestinationSilent when there was no answer in time, and what the call raises.

        After that, and after a cancellation, the call may still be going on.
        """
        with trio.move_on_after(float("inf") if self._patience is None else self._patience):
            return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter, abandon_on_cancel=True)
        raise DestinationSilent(
            f"{self._name} has not answered for {self._patience:g} s",
            advice="see whether its disk or network file system is well; the messages stay on the server until then",
        )


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
