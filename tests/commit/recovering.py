"""Recovery as the program runs it, without its threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui_popretr.commit.lookup import Recovered, look_up, record_results
from tui_popretr.journal.journal import Journal


def recover(
    journal: Journal, maildrop: int | None, *, now: int, audit: Callable[[Sequence[str]], None]
) -> list[Recovered]:
    """Finish the interrupted deliveries of a maildrop, or of all for None; return one result per record."""
    interrupted = [(owner, record) for owner, record in journal.delivering() if maildrop in (None, owner)]
    results = look_up(interrupted, now)
    record_results(journal, results, audit)
    return results
