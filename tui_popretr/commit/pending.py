"""A message that was received completely and is to be made durable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import trio

from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, PopretrError
from tui_popretr.journal.records import NewRecord

#: A draft of a file, or a message for a server or a command.
AnyDraft = FileDraft | OutgoingMessage
D = TypeVar("D", bound=AnyDraft)


@dataclass(slots=True, eq=False)
class Pending(Generic[D]):
    """A draft, its record for the journal, and its outcome.

    It is sent to `outcomes` once: when the message is durable and recorded as delivered, or with `error`.
    """

    draft: D
    record: NewRecord
    outcomes: trio.MemorySendChannel[Pending[Any]]
    buffered: int = 0  # octets in memory when it was queued
    published: bool = False  # its file has the final name
    receipt: str = ""  # the receiver's reply, for the audit line
    error: PopretrError | None = None

    def finish(self, error: PopretrError | None = None) -> None:
        """Send it to `outcomes`, which must have room. `error` replaces an earlier one."""
        self.error = error or self.error
        self.outcomes.send_nowait(self)


PendingDelivery = Pending[Any]
PendingFile = Pending[FileDraft]


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
