"""A message that was received completely and is to be made durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, PopretrError
from tui_popretr.journal.records import NewRecord


@dataclass(slots=True, eq=False)
class PendingDelivery:
    """A draft and its record for the journal.

    `done` is called once, in the engine's thread: with None when the message is durable and recorded as delivered, else
    with the error. `buffered`: octets in memory when it was queued.
    """

    draft: Draft
    record: NewRecord
    done: Callable[[PopretrError | None], None] | None
    buffered: int = 0
    receipt: str = ""  # the receiver's reply, for the audit line

    def finish(self, problem: PopretrError | None) -> None:
        # `done` refers to this object: without this the two would wait for the garbage collector.
        done, self.done = self.done, None
        if done is not None:
            done(problem)


def internal_error(defect: Exception) -> PopretrError:
    """Return the error to report for a defect that concerns a message."""
    return PopretrError(f"internal error: {type(defect).__name__}: {defect}", advice="please report this")


def is_refusal(problem: PopretrError | None) -> bool:
    """Whether the message was certainly not published."""
    return isinstance(problem, DeliveryFailed) and not isinstance(problem, DestinationTimeout)


def abort(deliveries: Iterable[PendingDelivery]) -> None:
    """Abort the drafts. Blocking."""
    for delivery in deliveries:
        delivery.draft.abort()
