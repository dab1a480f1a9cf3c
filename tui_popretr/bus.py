"""The bus: the engine publishes facts, and any number of subscribers receive them. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tui_popretr.facts import Dialogue, Fact

Subscriber = Callable[[Fact], None]
DialogueSubscriber = Callable[[Dialogue], None]


class Bus:
    """Passes each fact to all subscribers, in order, in the engine's thread.

    A subscriber must be quick and must not raise. A subscriber that raises is removed and reported to `on_failure`, so
    that an error in a view never breaks a session; the others still get the fact. Without `on_failure` the exception is
    raised to the publisher, after the others have got the fact: a failed assertion fails its test. The program's
    engines have an `on_failure`.

    Dialogue is by far the most frequent fact. It is assembled only while it has subscribers.
    """

    def __init__(self, on_failure: Callable[[object, Exception], None] | None = None) -> None:
        self._subscribers: list[Subscriber] = []
        self._dialogue_subscribers: list[DialogueSubscriber] = []
        self._on_failure = on_failure

    @property
    def wants_dialogue(self) -> bool:
        """Whether dialogue has subscribers."""
        return bool(self._dialogue_subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a subscriber to all facts but the dialogue."""
        self._subscribers.append(subscriber)

    def subscribe_dialogue(self, subscriber: DialogueSubscriber) -> None:
        """Add a subscriber to the dialogue alone."""
        self._dialogue_subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber | DialogueSubscriber) -> None:
        """Remove a subscriber of either kind; unknown ones are ignored."""
        self._subscribers = [each for each in self._subscribers if each != subscriber]
        self._dialogue_subscribers = [each for each in self._dialogue_subscribers if each != subscriber]

    def publish(self, fact: Fact) -> None:
        """Pass a fact to its subscribers."""
        self._pass(self._subscribers, fact)

    def publish_dialogue(self, dialogue: Dialogue) -> None:
        """Pass a piece of dialogue to its subscribers."""
        self._pass(self._dialogue_subscribers, dialogue)

    def _pass(self, subscribers: Iterable[Callable[[Any], None]], fact: object) -> None:
        first: Exception | None = None
        for subscriber in subscribers:
            try:
                subscriber(fact)
            except Exception as problem:  # noqa: BLE001 - an error in a view must not end a session
                self.unsubscribe(subscriber)
                if self._on_failure is not None:
                    self._on_failure(subscriber, problem)
                else:
                    first = first or problem
        if first is not None:
            raise first
