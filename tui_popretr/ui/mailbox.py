"""The bounded mailbox between the engine's thread and the dashboard: filled per fact, emptied ten times a second."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from tui_popretr.facts import ClientScheduled, DialogueLine, Fact, RetrievalProgressed
from tui_popretr.ui.view import client_of

#: Lines of dialogue that wait for the next drain; older ones are dropped and counted.
LINES = 2000
_REPLACEABLE = (RetrievalProgressed, ClientScheduled)


@dataclass(frozen=True, slots=True)
class Drained:
    """What has come since the last drain. `dropped` lines came before the first of `lines`."""

    facts: list[Fact]
    lines: list[DialogueLine]
    dropped: int


class Mailbox:
    """A bus subscriber that never blocks and never grows without bound, whatever the dashboard does.

    Of the facts that come often only a client's latest is kept, as long as nothing else has happened to it; lines of
    dialogue are dropped from the oldest on.
    """

    def __init__(self, lines: int = LINES) -> None:
        self._lock = threading.Lock()
        self._facts: list[Fact] = []
        self._latest: dict[str, int] = {}  # by client: where its latest fact is
        self._lines: deque[DialogueLine] = deque(maxlen=lines)
        self._dropped = 0

    def __call__(self, fact: Fact) -> None:
        """Take a fact; in the engine's thread."""
        with self._lock:
            if isinstance(fact, DialogueLine):
                if len(self._lines) == self._lines.maxlen:
                    self._dropped += 1
                self._lines.append(fact)
                return
            client = client_of(fact)
            if client is not None:
                known = self._latest.get(client)
                if known is not None and isinstance(fact, _REPLACEABLE) and type(self._facts[known]) is type(fact):
                    self._facts[known] = fact
                    return
                self._latest[client] = len(self._facts)
            self._facts.append(fact)

    def drain(self) -> Drained:
        """Take everything out; in the dashboard's thread."""
        with self._lock:
            drained = Drained(self._facts, list(self._lines), self._dropped)
            self._facts = []
            self._latest.clear()
            self._lines.clear()
            self._dropped = 0
        return drained
