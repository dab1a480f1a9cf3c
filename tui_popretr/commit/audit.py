"""Writing the audit lines of messages that were published, before the journal records them as delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui_popretr import faultpoints
from tui_popretr.commit.blocking import BlockingWorker
from tui_popretr.commit.pending import PendingDelivery, internal_error
from tui_popretr.errors import DestinationTimeout
from tui_popretr.faultpoints import Step


class AuditWriter:
    """One per process. `audit` hands lines to the system before it returns; it is called in a thread.

    `timeout` is in seconds: a disk that hangs fails the messages, and holds up nothing else.
    """

    def __init__(self, audit: Callable[[Sequence[str]], None], timeout: float | None) -> None:
        self._audit = audit
        self._disk = BlockingWorker("the audit log", 1, timeout)

    async def write(self, published: list[PendingDelivery]) -> list[PendingDelivery]:
        """Write the lines; return the messages, or none after an error.

        The messages are then finished with the error. Their records stay, so recovery will write the lines.
        """
        if not published:
            return []
        try:
            await self._disk.run(self._audit, [f"{each.record.audit}{each.receipt}" for each in published])
        except Exception as problem:  # noqa: BLE001 - other messages are not concerned
            for delivery in published:
                delivery.finish(problem if isinstance(problem, DestinationTimeout) else internal_error(problem))
            return []
        faultpoints.reached(Step.AUDITED)
        return published
