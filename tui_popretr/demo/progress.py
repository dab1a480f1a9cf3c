"""What the demo says without a terminal while it retrieves: a line for each account that is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from tui_popretr.facts import Fact, SessionClosed, SessionResult
from tui_popretr.wording import duration, mail_volume, plural


class Lines:
    """Listens to the engine's facts and writes whole lines of plain text."""

    def __init__(self, out: TextIO, accounts: Iterable[str]) -> None:
        self._out = out
        self._width = max(map(len, accounts))

    def __call__(self, fact: Fact) -> None:
        if isinstance(fact, SessionClosed):
            self._out.write(f"  {fact.session.client:<{self._width}}  {_outcome(fact.result)}\n")
            self._out.flush()


def _outcome(result: SessionResult) -> str:
    if not result.messages and not result.ok:
        return "FAILED, see below"
    figures = f"{mail_volume(result.messages, result.octets)}, in {seconds(result)}"
    return figures if result.ok else f"{figures}; {plural(result.failed, 'message')} left on the server"


def seconds(result: SessionResult) -> str:
    """Return how long a session took."""
    return duration((result.ended - result.started).total_seconds())
