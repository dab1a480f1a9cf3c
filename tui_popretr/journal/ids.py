"""Message ids: one counter per journal for the whole process, so that reopening a journal issues none a second time.

A journal is reopened while messages are under way whose ids it has not seen yet; the file alone cannot know them.
"""

from __future__ import annotations

import threading


class Ids:
    """A counter for all threads."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return an id that was not returned before."""
        with self._lock:
            self._last += 1
            return self._last

    def skip(self, used: int) -> None:
        """Return no id up to this one any more."""
        with self._lock:
            self._last = max(self._last, used)


_COUNTERS: dict[str, Ids] = {}


def ids_of(journal_id: str) -> Ids:
    """Return the process's counter for a journal."""
    return _COUNTERS.setdefault(journal_id, Ids())
