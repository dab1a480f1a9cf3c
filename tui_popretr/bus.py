"""The bus: facts fan out from the engine to whoever listens. Nothing decides here, and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tui_popretr.facts import Dialogue, Fact

Subscriber = Callable[[Fact], None]
Listener = Callable[[Dialogue], None]


class Bus:
    """Hands each fact to every subscriber, in order, in the engine's thread.

    A subscriber must be quick and must not raise. One that raises is unsubscribed and reported to `on_failure`, so that
    a broken view never breaks a session; the others still get the fact. Without `on_failure` the exception is raised to
    the publisher, after the others have got the fact: a failed assertion fails its test. The program's engines have an
    `on_failure`. Dialogue is assembled only while there are subscribers to it, and published in pieces: its lines are
    by far the most frequent facts.
    """

    def __init__(self, on_failure: Callable[[object, Exception], None] | None = None) -> None:
        self._all: list[Subscriber] = []
        self._by_line: list[Subscriber] = []
        self._listeners: list[Listener] = []
        self._on_failure = on_failure
        #: True while somebody listens to the dialogue.
        self.wants_dialogue = False

    def subscribe(self, subscriber: Subscriber, *, dialogue: bool = False) -> None:
        """Add a subscriber for all facts, with the dialogue line by line (DialogueLine) or without it."""
        self._all.append(subscriber)
        if dialogue:
            self._by_line.append(subscriber)
        self._look()

    def listen(self, listener: Listener) -> None:
        """Add a listener to the dialogue, which is told in pieces, and nothing else."""
        self._listeners.append(listener)
        self._look()

    def unsubscribe(self, subscriber: Subscriber | Listener) -> None:
        """Remove a subscriber or listener; unknown ones are ignored."""
        self._all = [each for each in self._all if each != subscriber]
        self._by_line = [each for each in self._by_line if each != subscriber]
        self._listeners = [each for each in self._listeners if each != subscriber]
        self._look()

    def publish(self, fact: Fact) -> None:
        """Tell everybody but the listeners to dialogue."""
        self._tell(self._all, fact)

    def publish_dialogue(self, dialogue: Dialogue) -> None:
        """Tell the listeners to dialogue, and line by line who wants it so."""
        self._tell(self._listeners, dialogue)
        if self._by_line:
            for line in dialogue.lines():
                self._tell(self._by_line, line)

    def _look(self) -> None:
        self.wants_dialogue = bool(self._by_line or self._listeners)

    def _tell(self, subscribers: Iterable[Callable[[Any], None]], fact: object) -> None:
        first: Exception | None = None
        for subscriber in subscribers:
            try:
                subscriber(fact)
            except Exception as problem:  # noqa: BLE001 - a broken view must not cost a session
                self.unsubscribe(subscriber)
                if self._on_failure is not None:
                    self._on_failure(subscriber, problem)
                else:
                    first = first or problem
        if first is not None:
            raise first
