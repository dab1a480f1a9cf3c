"""Dialogues with the numbers of their exchanges, as a connection publishes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from tests.ui.lines import NOW
from tui_popretr.facts import DISCONNECTED, DialogueLine, Direction, SessionId


class Session:
    """Makes the lines of one connection; each command and each reply takes a millisecond."""

    def __init__(self, client: str = "isp", run: int = 1) -> None:
        self.session = SessionId(client, run)
        self.lines: list[DialogueLine] = []
        self.sent: list[datetime] = [NOW]
        self.now = NOW
        self._waiting: list[tuple[int, str]] = []

    def _add(self, direction: Direction, text: str, number: int | None, *more: float | int | None) -> None:
        milliseconds, octets = (*more, None, None)[:2]
        self.lines.append(
            DialogueLine(
                self.session, self.now, direction, text, number, milliseconds, None if octets is None else int(octets)
            )
        )

    def open(self, greeting: str = "+OK ready") -> Session:
        self._add(Direction.OPENED, "Connection from a to b", 0)
        if greeting:
            self._step()
            self._add(Direction.IN, greeting, 0, 1.0)
        return self

    def send(self, *commands: str) -> Session:
        self._step()
        for command in commands:
            number = len(self.sent)
            self.sent.append(self.now)
            self._waiting.append((number, command))
            self._add(Direction.OUT, command, number)
        return self

    def reply(self, *replies: str) -> Session:
        """Answer the next commands; a message has 1,000 octets and its number, a listing one row."""
        for reply in replies:
            self._step()
            number, command = self._waiting.pop(0)
            elapsed = round((self.now - self.sent[number]).total_seconds() * 1000, 3)
            self._add(Direction.IN, reply, number, elapsed)
            verb, _, argument = command.partition(" ")
            if reply.startswith("+OK") and verb in ("RETR", "TOP"):
                octets = 1000 + int(argument.split()[0])
                self._add(Direction.EVENT, f"Received MessageBody octets={octets}", number, None, octets)
            elif reply.startswith("+OK") and verb in ("LIST", "UIDL", "CAPA") and not argument:
                self._add(Direction.IN, "1 some row", number)
                self._add(Direction.IN, ".", number, None, 12)
        return self

    @property
    def waiting(self) -> int:
        """The number of commands without a reply."""
        return len(self._waiting)

    def close(self) -> Session:
        self._add(Direction.EVENT, DISCONNECTED, None)
        return self

    def _step(self) -> None:
        self.now += timedelta(milliseconds=1)


def without_numbers(lines: Iterable[DialogueLine]) -> list[DialogueLine]:
    """Return the lines as they are read from a log."""
    return [replace(each, exchange=None, milliseconds=None, octets=None) for each in lines]
