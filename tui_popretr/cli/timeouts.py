"""Blocking calls with a timeout: on a dead network file system a call may never return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds.
TIMEOUT: Final = 10.0
_THREADS: Final = 8


def call_all(calls: Sequence[Callable[[], T]], timeout: float = TIMEOUT) -> list[T | None]:
    """Make these calls in a few threads and return their results; None for a call that has not returned in time.

    `timeout`: seconds for all the calls together. The thread of such a call stays behind; it does not delay the exit
    of the process.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    ended: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                ended.put((number, calls[number]()))
            except BaseException as problem:  # noqa: BLE001 - raised to the caller
                ended.put((number, problem))

    try:
        for _ in range(min(_THREADS, len(calls))):
            threading.Thread(target=work, daemon=True).start()
    except RuntimeError:  # no more threads can be started
        work()
    results: list[T | None] = [None] * len(calls)
    deadline = time.monotonic() + timeout
    for _ in calls:
        try:
            number, result = ended.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        if isinstance(result, BaseException):
            raise result
        results[number] = result
    return results
