"""The bus: facts fan out from the engine to whoever listens. Nothing decides here, and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable

from tui_popretr.facts import Fact

Subscriber = Callable[[Fact], None]


class Bus:
    """Hands each fact to every subscriber, in order, in the engine's thread.

    A subscriber must be quick and must not raise; one that does is dropped and reported to `on_failure`, so that a
    broken view never costs a session. Lines of dialogue are made only while somebody wants them: they are by far the
    most frequent facts.
    """

    def __init__(self, on_failure: Callable[[Subscriber, Exception], None] | None = None) -> None:
        self._all: list[Subscriber] = []
        self._dialogue: list[Subscriber] = []
        self._on_failure = on_failure

    @property
    def wants_dialogue(self) -> bool:
        """True while a subscriber listens to DialogueLine facts."""
        return bool(self._dialogue)

    def subscribe(self, subscriber: Subscriber, *, dialogue: bool = False, only_dialogue: bool = False) -> None:
        """Add a subscriber for all facts, with the lines of dialogue or without, or for those lines alone."""
        if not only_dialogue:
            self._all.append(subscriber)
        if dialogue or only_dialogue:
            self._dialogue.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; unknown ones are ignored."""
        self._all = [each for each in self._all if each != subscriber]
        self._dialogue = [each for each in self._dialogue if each != subscriber]

    def publish(self, fact: Fact) -> None:
        """Tell everybody but the listeners to dialogue."""
        self._tell(self._all, fact)

    def publish_line(self, line: Fact) -> None:
        """Tell the listeners to dialogue."""
        self._tell(self._dialogue, line)

    def _tell(self, subscribers: list[Subscriber], fact: Fact) -> None:
        for subscriber in subscribers:
            try:
                subscriber(fact)
            except Exception as problem:  # noqa: BLE001 - a broken view must not cost a session
                self.unsubscribe(subscriber)
                if self._on_failure is not None:
                    self._on_failure(subscriber, problem)
