"""Progress of a single run on a terminal: a line for each finished client, and below them a status line."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

import trio

from tui_popretr import wording
from tui_popretr.facts import (
    Fact,
    Level,
    MaildropListed,
    MessageSkipped,
    Noted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionResult,
    SessionStarted,
    Stage,
)
from tui_popretr.logs.lines import skip_text
from tui_popretr.process.terminal_size import terminal_size
from tui_popretr.text import visible

#: Seconds between two drawings of the status line, at least.
INTERVAL: Final = 0.1

_STAGES: Final = {
    Stage.CONNECTING: "connecting",
    Stage.LOGIN: "logging in",
    Stage.LISTING: "listing",
    Stage.RETRIEVING: "retrieving",
    Stage.CLOSING: "closing",
}
_SEPARATOR: Final = " · "
_LINE_LIMIT: Final = 4096


@dataclass(slots=True)
class _Running:
    """A session that runs."""

    stage: Stage = Stage.CONNECTING
    wanted: int = 0
    messages: int = 0
    octets: int = 0

    def __str__(self) -> str:
        if self.stage is Stage.RETRIEVING and self.wanted:
            return f" {self.messages}/{self.wanted} ({wording.size(self.octets)})"
        return f": {_STAGES[self.stage]}"


class Progress:
    """Shows the engine's facts on a terminal. Runs in trio's thread.

    The status line is overwritten with carriage returns and blanks only, which every terminal supports. finish()
    removes it. A write error ends the display silently, because it must not end a session.
    """

    def __init__(self, clients: Sequence[str], terminal: TextIO, *, width: Callable[[], int] | None = None) -> None:
        self._clients = clients
        self._terminal = terminal
        self._width = width or _width_of(terminal)
        self._running: dict[str, _Running] = {}
        self._results: dict[str, SessionResult] = {}
        self._drawn = ""  # the status line on the screen
        self._changed = trio.Event()
        self._finished = False

    def __call__(self, fact: Fact) -> None:
        match fact:
            case SessionStarted(session=session):
                self._running[session.client] = _Running()
            case SessionAdvanced(session=session, stage=stage) if session.client in self._running:
                self._running[session.client].stage = stage
            case MaildropListed(session=session) if session.client in self._running:
                self._running[session.client].wanted += fact.to_retrieve
            case RetrievalProgressed(session=session) if session.client in self._running:
                running = self._running[session.client]
                running.messages, running.octets = fact.messages, fact.octets
            case SessionClosed(session=session, result=result):
                self._running.pop(session.client, None)
                self._results[session.client] = result
                self._print(f"{session.client}: {wording.session_result(result)}")
            case MessageSkipped(failure=True):
                self._print(f"{fact.session.client}: {skip_text(fact)}")
            case Noted(level=Level.WARNING | Level.ERROR) | Noted(level=Level.INFO, client=None):
                self._print(f"{fact.client}: {fact.text}" if fact.client else fact.text)
            case _:
                return
        self._changed.set()

    async def run(self) -> None:
        """Update the status line until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            self._draw(self._status())
            await trio.sleep(INTERVAL)

    def finish(self) -> None:
        """Replace the status line by the totals. Nothing is shown after that."""
        self._write(f"{_erasing(self._drawn)}{self._total()}\n")
        self._finished = True

    # --- the lines ---------------------------------------------------------------------------------------------------

    def _status(self) -> str:
        """Return the status line: the number of finished clients, and the running clients that fit."""
        room = self._width() - 1  # many terminals wrap when the last column is written
        line = f"{len(self._results)} of {len(self._clients)} done"
        left = len(self._running)
        for client, running in self._running.items():
            part = f"{_SEPARATOR}{visible(client, 64)}{running}"
            rest = f"{_SEPARATOR}{left - 1} more" if left > 1 else ""
            if _columns(line + part + rest) > room:
                break
            line += part
            left -= 1
        if left:
            line += f"{_SEPARATOR}{left} {'more' if left < len(self._running) else 'running'}"
        return _cut(line, room)

    def _total(self) -> str:
        results = self._results.values()
        failed = sum(not result.ok for result in results)
        missing = len(self._clients) - len(self._results)
        messages, octets = sum(each.messages for each in results), sum(each.octets for each in results)
        parts = [f"{wording.plural(len(self._clients), 'client')}: {wording.mail_volume(messages, octets)}"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{missing} not finished"] if missing else []
        return "; ".join(parts)

    # --- the terminal -------------------------------------------------------------------------------------------------

    def _print(self, line: str) -> None:
        """Print a line above the status line."""
        status, self._drawn = self._drawn, ""
        self._write(f"{_erasing(status)}{visible(line, _LINE_LIMIT)}\n")
        if status:
            self._draw(self._status())

    def _draw(self, line: str) -> None:
        if line == self._drawn or self._finished:
            return
        blanks = " " * (_columns(self._drawn) - _columns(line))
        # Back to the end of the text, where people expect a cursor.
        again = f"\r{line}" if blanks else ""
        self._write(f"\r{line}{blanks}{again}")
        self._drawn = line

    def _write(self, text: str) -> None:
        if self._finished:
            return
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except (OSError, ValueError):
            self._finished = True


def _erasing(drawn: str) -> str:
    return f"\r{' ' * _columns(drawn)}\r" if drawn else ""


def _columns(text: str) -> int:
    """Return the width of a text on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_column, text))


def _column(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(text: str, room: int) -> str:
    if _columns(text) <= room:
        return text
    while text and _columns(text) > room - 1:
        text = text[:-1]
    return f"{text}…" if room > 0 else ""


def _width_of(terminal: TextIO) -> Callable[[], int]:
    def width() -> int:
        try:
            return terminal_size(terminal.fileno())[0]
        except (OSError, ValueError):  # it has no descriptor, or is closed
            return 80

    return width
