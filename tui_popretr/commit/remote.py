"""Messages to a server or command, one after the other, in one thread.

Each message is offered while the journal writes its record together with *delivered* of the one before, and its end is
sent when that is durable. So at most one message is between its two commits. The thread uses the journal's thread
directly: a change of threads through trio takes as long as a small message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tui_popretr import faultpoints
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.commit.pending import PendingDelivery, internal_error
from tui_popretr.errors import JournalError, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import DeliveredMark

#: Called after each transaction, in the journal's thread, with the message that became *delivering*, those that became
#: *delivered*, and the error or None.
OnCommit = Callable[[PendingDelivery, list[PendingDelivery], BaseException | None], None]


@dataclass(frozen=True, slots=True)
class RemoteFailure:
    """A message that was not delivered. `recorded`: the journal has it as *delivering*; otherwise it may have it."""

    delivery: PendingDelivery
    problem: PopretrError
    recorded: bool


@dataclass(slots=True)
class RemoteDelivery:
    """A sequence of messages. For one thread at a time."""

    keeper: JournalKeeper
    audit: Callable[[Sequence[str]], None]
    on_commit: OnCommit
    waiting: deque[PendingDelivery]
    #: The message that was sent and is not recorded as delivered yet, if there is one.
    delivered: list[PendingDelivery]
    _stopped: bool = field(default=False, init=False)

    def run(self) -> RemoteFailure | None:
        """Send all waiting messages. Stops at a failure and returns it; call again for the rest. Blocking."""
        while self.waiting and not self._stopped:
            failure = self._deliver(self.waiting.popleft())
            if failure is not None:
                return failure
        return None

    def stop(self) -> None:
        """Send no further message. From any thread."""
        self._stopped = True

    def _deliver(self, delivery: PendingDelivery) -> RemoteFailure | None:
        before, self.delivered = self.delivered, []
        marks = [DeliveredMark(each.record.id, each.record.delete_pending) for each in before]
        written = self.keeper.submit(
            lambda journal: journal.commit([delivery.record], marks),
            lambda problem: self.on_commit(delivery, before, problem),
        )
        delivery.draft.offer()
        try:
            written.result()
        except JournalError as problem:
            delivery.draft.abort()
            return RemoteFailure(delivery, problem, recorded=False)
        faultpoints.reached(Step.DELIVERING)
        if before:
            faultpoints.reached(Step.DELIVERED)
        if self._stopped:
            delivery.draft.abort()
            return None
        try:
            delivery.draft.publish()
        except PopretrError as problem:
            return RemoteFailure(delivery, problem, recorded=True)
        except Exception as defect:  # noqa: BLE001 - other destinations may work
            return RemoteFailure(delivery, internal_error(defect), recorded=True)
        try:
            self.audit([f"{delivery.record.audit}{delivery.draft.receipt()}"])
        except Exception as defect:  # noqa: BLE001 - recovery will write the line
            return RemoteFailure(delivery, internal_error(defect), recorded=True)
        faultpoints.reached(Step.AUDITED)
        self.delivered = [delivery]
        return None
