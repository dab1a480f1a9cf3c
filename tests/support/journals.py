"""An open journal with its thread and its recovery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tui_popretr.commit.recovery import Recovery
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop
from tui_popretr.journal.thread import JournalThread

NOW = 1_795_000_000


class Journals(NamedTuple):
    """A journal in a folder, and what recovers it."""

    journal: JournalThread
    recovery: Recovery

    @property
    def connection(self) -> Journal:
        """What the thread uses."""
        assert self.journal._journal is not None
        return self.journal._journal

    async def maildrop(self, destination: str = "maildir:/mail", user: str = "me") -> int:
        """The number of a maildrop that goes there."""
        key = Maildrop.of("pop.example.test", 110, user, destination)
        return await self.journal.run(lambda journal: journal.maildrop(key))


def journals(folder: Path, audit: Callable[[Sequence[str]], None] = lambda lines: None) -> Journals:
    journal = JournalThread(str(folder / "popretr.sqlite"))
    return Journals(journal, Recovery(journal, audit, lambda: NOW))


@asynccontextmanager
async def open_journals(
    folder: Path, audit: Callable[[Sequence[str]], None] = lambda lines: None
) -> AsyncIterator[Journals]:
    opened = journals(folder, audit)
    await opened.recovery.open()
    try:
        yield opened
    finally:
        await opened.journal.close()
