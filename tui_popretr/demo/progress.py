"""What the demo says while it retrieves: which accounts are done and, on a terminal, how far the others are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import TextIO

import trio
from humanize import naturalsize

from tui_popretr.facts import (
    Fact,
    MaildropListed,
    RetrievalProgressed,
    SessionClosed,
    SessionResult,
    SessionStarted,
)

WIDTH = 80
_REDRAW = 0.1  # seconds


class Progress:
    """Listens to the engine's facts and tells them on `out`.

    On a terminal the last line is drawn anew while run() runs, with nothing but carriage returns and blanks. Elsewhere
    whole lines of plain text are written.
    """

    def __init__(self, out: TextIO, accounts: Iterable[str]) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._width = min(WIDTH, shutil.get_terminal_size().columns) - 1
        self._name_width = max(map(len, accounts))
        self._to_come: dict[str, int] = {}  # octets, by account
        self._come: dict[str, int] = {}
        self._drawn = ""

    def __call__(self, fact: Fact) -> None:
        match fact:
            case SessionStarted(session):
                self._come[session.client] = 0
            case MaildropListed(session):
                self._to_come[session.client] = fact.to_retrieve_octets
            case RetrievalProgressed(session):
                self._come[session.client] = fact.octets
            case SessionClosed(session):
                self._come.pop(session.client, None)
                self._say(f"  {session.client:<{self._name_width}}  {outcome(fact.result)}")

    async def run(self) -> None:
        """Draw how far the running sessions are, until cancelled."""
        try:
            while self._terminal:
                self._draw(self._state())
                await trio.sleep(_REDRAW)
        finally:
            self._draw("")

    def _state(self) -> str:
        parts = []
        for account, come in self._come.items():
            to_come = self._to_come.get(account, 0)
            parts.append(f"{account} {min(99, 100 * come // to_come)}%" if to_come else f"{account} ...")
        return "  " + "   ".join(parts)

    def _say(self, line: str) -> None:
        self._draw("")
        self._out.write(f"{line}\n")
        self._out.flush()

    def _draw(self, state: str) -> None:
        """Replace the last line of the terminal."""
        state = state[: self._width].rstrip()
        if state == self._drawn:
            return
        self._out.write(f"\r{state:<{len(self._drawn)}}")
        if not state:
            self._out.write("\r")
        self._out.flush()
        self._drawn = state


def outcome(result: SessionResult) -> str:
    """Return how a session ended, in a few words and figures."""
    figures = f"{messages(result.messages)}, {naturalsize(result.octets)}, in {seconds(result)}"
    if result.ok:
        return figures
    if result.messages:
        return f"{figures}; {messages(result.failed)} left on the server"
    return "FAILED, see below"


def messages(count: int) -> str:
    """Return a number of messages in words."""
    return "1 message" if count == 1 else f"{count:,} messages"


def seconds(result: SessionResult) -> str:
    """Return how long a session took."""
    return f"{(result.ended - result.started).total_seconds():.1f} s"
