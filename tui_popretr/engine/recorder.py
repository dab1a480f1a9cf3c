"""The journal's transactions: what comes while one is being written goes into the next, all of it together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from tui_popretr.engine.keeper import JournalKeeper
from tui_popretr.errors import JournalError
from tui_popretr.journal.records import DeliveredMark, NewRecord


@dataclass(slots=True, eq=False)
class _Transaction:
    delivering: list[NewRecord] = field(default_factory=list)
    delivered: list[DeliveredMark] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)
    problem: JournalError | None = None


class Recorder:
    """Shares transactions between the lanes: an fsync of the journal serves all who are waiting for one."""

    def __init__(self, keeper: JournalKeeper) -> None:
        self._keeper = keeper
        self._turn = trio.Lock()
        self._next: _Transaction | None = None

    async def commit(self, delivering: Sequence[NewRecord], delivered: Sequence[DeliveredMark]) -> None:
        """Record in one transaction; durable on return. Raises JournalError: then it may have been recorded or not."""
        transaction, leads = self._next, False
        if transaction is None:
            self._next = transaction = _Transaction()
            leads = True
        transaction.delivering += delivering
        transaction.delivered += delivered
        if leads:
            await self._write(transaction)
        else:
            await transaction.done.wait()
        if transaction.problem is not None:
            raise transaction.problem

    async def _write(self, transaction: _Transaction) -> None:
        # Whoever is cancelled leaves the others with a problem rather than waiting for ever.
        problem: JournalError | None = JournalError("the journal was closed before it had recorded a message")
        try:
            async with self._turn:
                self._next = None
                await self._keeper.run(lambda journal: journal.commit(transaction.delivering, transaction.delivered))
            problem = None
        except JournalError as error:
            problem = error
        finally:
            if self._next is transaction:
                self._next = None
            transaction.problem = problem
            transaction.done.set()
