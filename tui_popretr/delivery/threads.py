"""Blocking calls of a remote sink, in a thread of their own: a hung disk holds up this sink alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import trio

from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.delivery.folders import Folders

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """Return what `function` returns. A cancelled call is abandoned: the thread goes on, and its result is dropped."""
    return await trio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))


async def next_piece(pieces: Iterator[bytes]) -> bytes:
    """Read the next piece of a message in a file, b"" at its end: it may not be in the system's memory any more."""
    return await in_thread(partial(next, pieces, b""))


async def check_spool(folder: str, octets: int) -> None:
    """Make the folder for large messages, and check its free space, if a message of this size needs it.

    Raises DeliveryFailed.
    """
    if octets > SPILL:
        await in_thread(partial(Folders(folder, (), None).make_ready, octets))
