"""An open journal with its keeper, for what hands messages to a mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.journal.records import Maildrop


@asynccontextmanager
async def kept_for_smtp(folder: Path, now: int) -> AsyncIterator[tuple[JournalKeeper, int]]:
    """Give the keeper and the journal's number for a maildrop that goes to a mail server; `now` is epoch seconds."""
    keeper = JournalKeeper(str(folder / "popretr.sqlite"), lambda lines: None, lambda: now)
    await keeper.open()
    try:
        key = Maildrop.of("pop.example.test", 110, "me", "smtp:receiver.test")
        yield keeper, await keeper.run(lambda journal: journal.maildrop(key))
    finally:
        await keeper.close()
