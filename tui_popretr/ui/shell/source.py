"""The source of facts and the receiver of commands: an engine in this process, or another implementation of Source."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from tui_popretr.answers import Answer
from tui_popretr.clock import Clock, SystemClock
from tui_popretr.commands import Command, Query
from tui_popretr.mailbox import Drained, Mailbox
from tui_popretr.ui.shell.engine_thread import EngineThread


class Source(Protocol):
    """The dashboard's view of an engine. No method blocks."""

    def drain(self) -> Drained:
        """Return everything since the last call."""
        ...

    def perform(self, command: Command) -> Future[str]:
        """Send a command; the future has the answer as text, or a ValueError."""
        ...

    def ask(self, query: Query) -> Future[Answer]:
        """Send a query; the future has its answer, which may take as long as a session, or a ValueError."""
        ...

    def refusal_of(self, query: Query) -> str:
        """Return why a query would be refused now; "" if it can be sent."""
        ...

    def report(self, text: str) -> None:
        """Log a line about a bug in the dashboard."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the engine runs."""
        ...

    def boottime(self) -> float:
        """Seconds of boottime, the clock of due times."""
        ...

    def now(self) -> datetime:
        """Aware local time, for display."""
        ...


class EngineSource:
    """The engine in its thread, through a mailbox that subscribes to its bus."""

    def __init__(self, engine: EngineThread, mailbox: Mailbox, clock: Clock | None = None) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._clock = clock or SystemClock()

    def drain(self) -> Drained:
        return self._mailbox.drain()

    def perform(self, command: Command) -> Future[str]:
        return self._engine.perform(command)

    def ask(self, query: Query) -> Future[Answer]:
        return self._engine.ask(query)

    def refusal_of(self, query: Query) -> str:  # noqa: ARG002 - only a daemon can be away
        return ""

    def report(self, text: str) -> None:
        self._engine.report(text)

    @property
    def alive(self) -> bool:
        return self._engine.alive

    def boottime(self) -> float:
        return self._clock.boottime()

    def now(self) -> datetime:
        return self._clock.now()
