"""A message received whole, on its way to being durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import PopretrError
from tui_popretr.journal.records import NewRecord


@dataclass(slots=True, eq=False)
class PendingDelivery:
    """A draft and its record for the journal.

    `done` is called once, in the engine's thread: with None when it is durable and the journal knows it, else with why
    not.
    """

    draft: Draft
    record: NewRecord
    done: Callable[[PopretrError | None], None] | None
    buffered: int = 0

    def finish(self, problem: PopretrError | None) -> None:
        # Who made the parcel knows it from within `done`: the two would stay until garbage is looked for.
        done, self.done = self.done, None
        if done is not None:
            done(problem)


def internal_error(defect: Exception) -> PopretrError:
    """Return what is told of a defect that costs a message."""
    return PopretrError(f"internal error: {type(defect).__name__}: {defect}", advice="please report this")


def abort(deliveries: Iterable[PendingDelivery]) -> None:
    """Leave nothing of the drafts behind. Blocking."""
    for delivery in deliveries:
        delivery.draft.abort()
