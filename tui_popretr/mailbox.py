"""The bounded queue of facts and dialogue to a reader at its own pace: a dashboard, or the control socket."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from tui_popretr.facts import ClientScheduled, Dialogue, DialogueLine, Fact, RetrievalProgressed, client_of
from tui_popretr.status import View

#: Lines of dialogue kept until the next drain; older ones are dropped and counted.
LINES = 2000
_REPLACEABLE = (RetrievalProgressed, ClientScheduled)


@dataclass(frozen=True, slots=True)
class Connection:
    """The state of a dashboard's connection to a daemon. `texts` has it in words, the longest first."""

    connected: bool
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything since the last drain. `dropped` lines were lost before the first of `lines`.

    A `view` takes the place of all that was known; the facts came after it. `connection` is the latest state of the
    connection to a daemon, if it has changed; a loss came after the facts.
    """

    facts: list[Fact]
    lines: list[DialogueLine]
    dropped: int
    view: View | None = None
    connection: Connection | None = None


class Mailbox:
    """A subscriber of the bus: it takes facts, and on_dialogue() takes dialogue. It is bounded and never blocks.

    Of frequent facts about a client only the latest is kept, unless another fact about the client came in between. Of
    the dialogue the oldest lines are dropped. It is divided into lines by the reader.
    """

    def __init__(self, lines: int = LINES) -> None:
        self._lock = threading.Lock()
        self._facts: list[Fact] = []
        self._latest: dict[str, int] = {}  # by client: the index of its latest fact
        self._most = lines
        self._pieces: deque[Dialogue] = deque()
        self._waiting = 0  # lines, in all pieces
        self._dropped = 0

    def __call__(self, fact: Fact) -> None:
        """Add a fact; in the engine's thread."""
        with self._lock:
            client = client_of(fact)
            if client is not None:
                known = self._latest.get(client)
                if known is not None and isinstance(fact, _REPLACEABLE) and type(self._facts[known]) is type(fact):
                    self._facts[known] = fact
                    return
                self._latest[client] = len(self._facts)
            self._facts.append(fact)

    def on_dialogue(self, piece: Dialogue) -> None:
        """Add a piece of dialogue; in the engine's thread."""
        with self._lock:
            self._pieces.append(piece)
            self._waiting += len(piece.said)
            while self._waiting - (oldest := len(self._pieces[0].said)) >= self._most:
                self._pieces.popleft()
                self._waiting -= oldest
                self._dropped += oldest

    def drain(self) -> Drained:
        """Remove and return everything; in the reader's thread."""
        with self._lock:
            facts, self._facts = self._facts, []
            pieces, self._pieces = self._pieces, deque()
            dropped, self._dropped = self._dropped, 0
            self._latest.clear()
            self._waiting = 0
        lines = [line for piece in pieces for line in piece.lines()]
        more = max(0, len(lines) - self._most)  # of the oldest piece, which was kept as a whole
        return Drained(facts, lines[more:], dropped + more)
