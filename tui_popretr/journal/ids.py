"""Ids of records: a counter that outlives the reopening of a journal.

When a journal is reopened, pending deliveries may have ids that were never written to the file.
"""

from __future__ import annotations

import threading


class MessageIds:
    """A counter. For all threads."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return an id that was not returned before."""
        with self._lock:
            self._last += 1
            return self._last

    def skip(self, used: int) -> None:
        """Do not return ids up to this one."""
        with self._lock:
            self._last = max(self._last, used)
