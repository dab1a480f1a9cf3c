"""The journal's keeper: one thread at a time; a journal that broke is reopened and recovered before further use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from tui_popretr.errors import JournalError
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.recovery import Outcome, Recovered, recover

T = TypeVar("T")

#: Seconds for closing.
CLOSING = 1.0


class JournalKeeper:
    """Owns the open journal.

    Every use goes through run(): SQLite's calls block, so they are made in a thread, one at a time. After a failed
    write nothing more is written until reopen() has recovered what was unfinished (SPEC 5).
    """

    def __init__(self, path: str, audit: Callable[[Sequence[str]], None], now: Callable[[], int]) -> None:
        self._path = path
        self._audit = audit
        self._now = now
        self._journal: Journal | None = None
        self._limiter = trio.CapacityLimiter(1)

    @property
    def journal(self) -> Journal:
        """The open journal, for what needs no disk (ids). Raises JournalError when there is none."""
        if self._journal is None:
            raise JournalError("the journal is not open")
        return self._journal

    async def open(self, opened: Callable[[], None] = lambda: None) -> list[Recovered]:
        """Open the journal and finish what a crash left unfinished. Raises JournalError.

        `opened` is called in between, in the thread: when the journal is ours, and before audit lines are written.
        """
        return await self._in_thread(lambda: self._open(opened))

    async def ensure(self) -> list[Recovered]:
        """Reopen and recover the journal if it broke. Raises JournalError where that fails."""
        return [] if self._sound else await self._in_thread(self._reopen)

    async def run(self, use: Callable[[Journal], T]) -> T:
        """Call `use` with the journal, in a thread, alone. Raises JournalError."""
        return await self._in_thread(lambda: use(self.journal))

    async def open_maildrop(self, key: Maildrop) -> tuple[int, list[Recovered]]:
        """Return the journal's number for a maildrop, with what was unfinished in it recovered."""

        def find(journal: Journal) -> tuple[int, list[Recovered]]:
            number = journal.maildrop(key)
            return number, recover(journal, number, now=self._now(), audit=self._audit)

        return await self.run(find)

    async def close(self) -> None:
        """Close the journal; harmless when it is closed. A disk that hangs is not waited for."""
        with trio.move_on_after(CLOSING, shield=True):
            await self._in_thread(self._close)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # Who is cancelled does not wait for the disk; the next use does, for the limiter's one place.
        return await trio.to_thread.run_sync(function, limiter=self._limiter, abandon_on_cancel=True)

    @property
    def _sound(self) -> bool:
        return self._journal is not None and not self._journal.broken

    def _reopen(self) -> list[Recovered]:
        return [] if self._sound else self._open(lambda: None)  # another session may have done it meanwhile

    def _open(self, opened: Callable[[], None]) -> list[Recovered]:
        self._close()
        journal = Journal.open(self._path)
        try:
            opened()
            recovered = recover(journal, None, now=self._now(), audit=self._audit)
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        return recovered

    def _close(self) -> None:
        if self._journal is not None:
            journal, self._journal = self._journal, None
            journal.close()


_RECOVERIES = {
    Outcome.FOUND: "was delivered already",
    Outcome.PUBLISHED: "is delivered now",
    Outcome.TAKEN: "was delivered already and a mail reader has taken it",
    Outcome.AGAIN: "was not delivered and will come again",
    Outcome.UNKNOWN: "may have been delivered, its place cannot be looked at",
}


def recovery_text(recovered: Recovered) -> str:
    """Return a sentence about an interrupted delivery, for the program's log."""
    text = f"interrupted delivery of message {recovered.record.id} recovered: it {_RECOVERIES[recovered.outcome]}"
    return f"{text} ({recovered.error})" if recovered.error is not None else text
