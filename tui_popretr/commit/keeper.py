"""The journal's keeper: one thread at a time, in transactions that all who wait share.

A journal that broke is reopened and recovered before further use.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import trio

from tui_popretr.commit.blocking import Disks
from tui_popretr.commit.recovery import Recovered, RecoveryResult, look_up, record_results, unexpected
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, JournalError, JournalWithoutThread, out_of_threads
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop, Record

T = TypeVar("T")
#: Told how a use went: what went wrong, or None.
Told = Callable[[BaseException | None], object]

#: Seconds in which a destination must answer when interrupted deliveries are looked up.
SETTLING = 15.0
#: Seconds for closing.
CLOSING = 1.0


@dataclass(slots=True, eq=False)
class _Use(Generic[T]):
    """A use of the journal that somebody waits for."""

    function: Callable[[Journal], T]
    done: trio.Event = field(default_factory=trio.Event)
    result: list[T] = field(default_factory=list)  # one, or none yet
    problem: BaseException | None = None

    def make(self, journal: Journal) -> None:
        try:
            self.result.append(self.function(journal))
        except BaseException as problem:  # noqa: BLE001 - it is for who waits, and the others do not suffer
            self.problem = problem

    def outcome(self) -> T:
        """Return or raise what it made, when it is done."""
        if self.problem is not None:
            raise self.problem
        return self.result[0]


@dataclass(slots=True, eq=False)
class Asked(Generic[T]):
    """A use of the journal that a thread has asked for. `told` is called in the journal's thread when it is made."""

    use: _Use[T]
    told: Told | None
    _made: threading.Event = field(default_factory=threading.Event)

    def result(self) -> T:
        """Wait until it is made, and durable. Raises what JournalKeeper.run() does."""
        self._made.wait()
        return self.use.outcome()

    def made(self) -> None:
        """Tell of it."""
        self._made.set()
        if self.told is not None:
            self.told(self.use.problem)


class JournalKeeper:
    """Owns the open journal.

    Every use goes through run(), or start() from a thread: SQLite's calls block, so they are made in a thread, one at a
    time. What is asked for meanwhile is done next, all in one transaction: an fsync serves everybody who is waiting for
    one. After a failed write nothing more is written until ensure() has recovered what was unfinished (SPEC 5).
    """

    def __init__(
        self, path: str, audit: Callable[[Sequence[str]], None], now: Callable[[], int], disks: Disks | None = None
    ) -> None:
        self._path = path
        self._audit = audit
        self._now = now
        self._disks = disks or Disks(SETTLING)
        self._journal: Journal | None = None
        self._opening: Journal | None = None  # open, and not recovered yet
        self._opened = False  # at any time
        self._limiter = trio.CapacityLimiter(1)
        self._turn = trio.Lock()
        self._alone = threading.Lock()  # held by whoever uses the journal, in whatever thread
        self._asked: deque[Asked[Any]] = deque()  # by threads
        self._mending = False  # it is being opened: what threads ask for waits
        self._waiting: list[_Use[Any]] = []
        self._working = False

    @property
    def journal(self) -> Journal:
        """The open journal, for what needs no disk (ids). Raises JournalError when there is none."""
        if self._journal is None:
            raise JournalError("the journal is not open")
        return self._journal

    @property
    def sound(self) -> bool:
        """Whether the journal is open and no write to it has failed."""
        return self._journal is not None and not self._journal.broken

    async def open(self, opened: Callable[[], None] = lambda: None) -> list[Recovered]:
        """Open the journal and finish what a crash left unfinished. Raises JournalError.

        `opened` is called in between, in the thread: when the journal is ours, and before audit lines are written.
        """
        async with self._turn:
            return await self._open(opened)

    async def ensure(self) -> list[Recovered]:
        """Reopen and recover the journal if it broke. Raises JournalError where that fails.

        Nothing may be between its two commits (Committer.quiet()).
        """
        async with self._turn:  # another session may have done it meanwhile
            return [] if self.sound else await self._open(lambda: None)

    async def run(self, use: Callable[[Journal], T]) -> T:
        """Call `use` with the journal, in a thread, alone; what it wrote is durable on return.

        Raises JournalError, and what `use` raises. After an error some of it may have been written.
        """
        waiting = _Use(use)
        self._waiting.append(waiting)
        if not self._working:
            self._working = True
            # A task of nobody's: who is cancelled must not end it for the others.
            trio.lowlevel.spawn_system_task(self._work)
        try:
            await waiting.done.wait()
        except trio.Cancelled:
            if waiting in self._waiting:  # not begun
                self._waiting.remove(waiting)
            raise
        return waiting.outcome()

    def start(self, use: Callable[[Journal], T], told: Told | None = None) -> Asked[T]:
        """The same for a thread: what is returned at once has the result when that is durable.

        `told` is called then, in the journal's thread and before another use, with what went wrong or None.
        """
        asked = Asked(_Use(use), told)
        self._asked.append(asked)
        self._make_asked()
        return asked

    def _make_asked(self) -> None:
        try:
            trio.lowlevel.start_thread_soon(lambda: self._alone_do(self._make_all), lambda _: None, "journal")
        except RuntimeError:  # there is no thread to be had
            self._alone_do(self._make_all)

    async def _work(self) -> None:
        """Do what is waited for, until nothing is."""
        try:
            while self._waiting:
                async with self._turn:
                    uses, self._waiting = self._waiting, []
                    await self._make_in_thread(uses)
                for use in uses:
                    use.done.set()
        finally:
            self._working = False

    async def _make_in_thread(self, uses: list[_Use[Any]]) -> None:
        try:
            await self._in_thread(lambda: self._make_all(uses))
        except Exception as problem:  # noqa: BLE001 - there is no thread to be had: not the end of the program
            for use in uses:
                use.problem = problem

    def _make_all(self, uses: Sequence[_Use[Any]] = ()) -> None:
        """Make these and all that threads have asked for, in one transaction."""
        asked = [] if self._mending else [self._asked.popleft() for _ in range(len(self._asked))]
        uses = [*uses, *(each.use for each in asked)]
        if uses:
            self._make_together(uses)
        for each in asked:
            each.made()

    def _make_together(self, uses: Sequence[_Use[Any]]) -> None:
        try:
            journal = self.journal
            with journal.transaction():
                for use in uses:
                    use.make(journal)
        except BaseException as problem:  # noqa: BLE001 - as above
            for use in uses:
                use.problem = use.problem or problem

    async def open_maildrop(self, key: Maildrop) -> tuple[int, list[Recovered]]:
        """Return the journal's number for a maildrop, with what was unfinished in it recovered. Raises JournalError."""

        def find(journal: Journal) -> tuple[int, list[tuple[int, Record]]]:
            number = journal.maildrop(key)
            return number, [(owner, record) for owner, record in journal.delivering() if owner == number]

        number, interrupted = await self.run(find)
        results = await self._look_up(interrupted)
        if results:
            await self.run(lambda journal: record_results(journal, results, self._audit))
        return number, results

    async def close(self) -> None:
        """Close the journal; harmless when it is closed. A disk that hangs is not waited for."""
        with trio.move_on_after(CLOSING, shield=True):
            try:
                await self._in_thread(self._close)
            except JournalWithoutThread:
                self._close()

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # Who is cancelled does not wait for the disk; the next use does, for the limiter's one place.
        do, limiter = self._alone_do, self._limiter
        try:
            return await trio.to_thread.run_sync(do, function, limiter=limiter, abandon_on_cancel=True)
        except RuntimeError as problem:
            if (limit := out_of_threads(problem)) is None:
                raise
            raise JournalWithoutThread(str(limit), advice=limit.advice) from problem

    def _alone_do(self, function: Callable[[], T]) -> T:
        with self._alone:
            return function()

    async def _open(self, opened: Callable[[], None]) -> list[Recovered]:
        self._mending = True
        try:
            return await self._open_and_recover(opened)
        except Exception:
            await self._in_thread(self._close)  # never here: after a cancellation a thread may still be using it
            raise
        finally:
            self._mending = False
            if self._asked:
                self._make_asked()

    async def _open_and_recover(self, opened: Callable[[], None]) -> list[Recovered]:
        journal, interrupted = await self._in_thread(lambda: self._open_file(opened))
        results = await self._look_up(interrupted)
        if results:
            await self._in_thread(lambda: record_results(journal, results, self._audit))
        self._journal, self._opening = journal, None
        return results

    def _open_file(self, opened: Callable[[], None]) -> tuple[Journal, list[tuple[int, Record]]]:
        self._close()
        self._opening = journal = Journal.open(self._path, make=not self._opened)
        self._opened = True
        opened()
        return journal, journal.delivering()

    async def _look_up(self, interrupted: list[tuple[int, Record]]) -> list[Recovered]:
        """Look up each folder in a thread of its own: one that hangs makes its own messages wait, and no others."""
        folders: dict[str, list[tuple[int, Record]]] = {}
        for entry in interrupted:
            folders.setdefault(os.path.dirname(entry[1].final or ""), []).append(entry)
        results: list[Recovered] = []

        async def look(folder: str, entries: list[tuple[int, Record]]) -> None:
            problem: DeliveryFailed = DestinationTimeout(f"{folder} has not answered for {SETTLING:g} s")
            try:
                with trio.move_on_after(SETTLING):
                    results.extend(await self._disks.of(folder, folder).run(look_up, entries, self._now()))
                    return
            except DestinationTimeout as silence:
                problem = silence
            except Exception as defect:  # noqa: BLE001 - it costs the messages of this folder a session, and no others
                problem = unexpected(defect, folder)
            results.extend(Recovered(owner, record, RecoveryResult.UNKNOWN, problem) for owner, record in entries)

        async with trio.open_nursery() as nursery:
            for folder, entries in folders.items():
                nursery.start_soon(look, folder, entries)
        return results

    def _close(self) -> None:
        """Close what is open, and what was being opened when somebody lost patience. Only in the journal's thread."""
        journals, self._journal, self._opening = (self._journal, self._opening), None, None
        for journal in journals:
            if journal is not None:
                journal.close()


_RECOVERIES = {
    RecoveryResult.FOUND: "was delivered already",
    RecoveryResult.PUBLISHED: "is delivered now",
    RecoveryResult.CONSUMED: "was delivered already and a mail reader has taken it",
    RecoveryResult.REDELIVER: "was not delivered and will come again",
    RecoveryResult.IN_DOUBT: "was being handed over, the receiving server or command may have it; it is sent again",
    RecoveryResult.UNKNOWN: "may have been delivered, its place cannot be looked at",
}


def recovery_text(recovered: Recovered) -> str:
    """Return a sentence about an interrupted delivery, for the program's log."""
    text = f"interrupted delivery of message {recovered.record.id} recovered: it {_RECOVERIES[recovered.outcome]}"
    return f"{text} ({recovered.error})" if recovered.error is not None else text
