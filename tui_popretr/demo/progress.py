"""What the demo says without a terminal while it retrieves: a line for each account that is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from humanize import naturalsize

from tui_popretr.facts import Fact, SessionClosed, SessionResult


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
    figures = f"{messages(result.messages)}, {naturalsize(result.octets)}, in {seconds(result)}"
    return figures if result.ok else f"{figures}; {messages(result.failed)} left on the server"


def messages(count: int) -> str:
    """Return a number of messages in words."""
    return "1 message" if count == 1 else f"{count:,} messages"


def seconds(result: SessionResult) -> str:
    """Return how long a session took."""
    return f"{(result.ended - result.started).total_seconds():.1f} s"
