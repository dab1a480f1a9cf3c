"""Bugs found while the dashboard runs: logged at once, and printed to standard error afterwards.

While the dashboard runs, standard error is the screen, or Textual's own stream, which discards what is printed.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

#: The number of the latest bugs that are printed.
_KEPT: Final = 20


class Defects:
    """A bus's on_failure. From __enter__ to __exit__ it also reports threads that fail. Thread-safe."""

    def __init__(self) -> None:
        #: Logs a line, from any thread.
        self.report: Callable[[str], object] = lambda _: None
        self._unprinted: deque[str] = deque(maxlen=_KEPT)

    def __call__(self, subscriber: object, problem: Exception) -> None:
        """Report that a subscriber has failed and was unsubscribed."""
        self._take(f"{subscriber!r} failed and was unsubscribed: {problem!r}")

    def __enter__(self) -> Defects:
        self._hook_before, threading.excepthook = threading.excepthook, self._thread_failed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        threading.excepthook = self._hook_before
        self.print_pending()

    def print_pending(self) -> None:
        """Print what is not printed yet. Call it when the terminal is restored."""
        with contextlib.suppress(OSError, IndexError, AttributeError):  # no terminal; no more; no stderr
            while True:
                print(self._unprinted.popleft(), file=sys.stderr, flush=True)  # noqa: T201 - its purpose

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        name = "?" if failure.thread is None else failure.thread.name
        self._take(f"the thread {name!r} failed: {failure.exc_value!r}")

    def _take(self, what: str) -> None:
        self._unprinted.append(f"internal error: {what}")
        self.report(f"internal error: {what}")
