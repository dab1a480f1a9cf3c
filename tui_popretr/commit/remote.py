"""Messages handed to a server or program, one after the other, by one thread.

Each is offered while the journal writes its record, together with the *delivered* of the one before, and ended when
that is durable: at most one message is ever between its two commits (SPEC 5). The thread asks the journal's thread
directly and stays until all is done, because a change of threads by way of trio takes as long as a small message.
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

#: Told of each transaction, in the journal's thread: the message whose *delivering* was in it, those whose *delivered*
#: was, and why it failed, or None.
OnCommit = Callable[[PendingDelivery, list[PendingDelivery], BaseException | None], None]


@dataclass(frozen=True, slots=True)
class RemoteFailure:
    """A message that was not delivered, and why. `recorded`: the journal has it as *delivering*; else nobody knows."""

    delivery: PendingDelivery
    problem: PopretrError
    recorded: bool


@dataclass(slots=True)
class RemoteDelivery:
    """A row of messages, for one thread at a time."""

    keeper: JournalKeeper
    audit: Callable[[Sequence[str]], None]
    on_commit: OnCommit
    waiting: deque[PendingDelivery]
    #: The message that has been handed over and is not recorded as delivered yet, if there is one.
    delivered: list[PendingDelivery]
    _stopped: bool = field(default=False, init=False)

    def run(self) -> RemoteFailure | None:
        """Hand over all that is waiting; after a failure, which is returned, call it again for the rest. Blocking."""
        while self.waiting and not self._stopped:
            failure = self._deliver(self.waiting.popleft())
            if failure is not None:
                return failure
        return None

    def stop(self) -> None:
        """Let no further message be sent. From any thread."""
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
        except Exception as defect:  # noqa: BLE001 - of one destination, perhaps
            return RemoteFailure(delivery, internal_error(defect), recorded=True)
        try:
            self.audit([f"{delivery.record.audit}{delivery.draft.receipt()}"])
        except Exception as defect:  # noqa: BLE001 - recovery will write the line
            return RemoteFailure(delivery, internal_error(defect), recorded=True)
        faultpoints.reached(Step.AUDITED)
        self.delivered = [delivery]
        return None
