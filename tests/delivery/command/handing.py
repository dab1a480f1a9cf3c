"""Commands, sinks and messages for tests of delivery to commands."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.sink import CommandSink
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.errors import DeliveryFailed
from tui_popretr.facts import Direction

MESSAGE = b"Received: from pop.test\nSubject: x\n\n.text\n"


def shell(script: str, *arguments: object) -> tuple[str, ...]:
    """The words of a command that is a script; its arguments are $1 and so on."""
    return ("sh", "-c", script, "sh", *map(str, arguments))


@dataclass
class Hand:
    """A sink and its lines of dialogue."""

    sink: CommandSink
    said: list[str] = field(default_factory=list)

    async def send(self, message: bytes = MESSAGE, before_end: BeforeEnd = trio.lowlevel.checkpoint) -> str:
        """Deliver a message; return the receipt."""
        outgoing = self.sink.open(7)
        outgoing.write(message)
        outgoing.finish()
        try:
            return await self.sink.send(outgoing, before_end)
        finally:
            outgoing.abort()


@asynccontextmanager
async def handing(argv: tuple[str, ...], spool: Path, *, timeout: float = 30.0, **means: Any) -> AsyncIterator[Hand]:
    """Make a sink, and close it in the end."""
    said: list[str] = []

    def say(direction: Direction, texts: Iterable[str]) -> None:
        said.extend(f"{direction.value} {text}" for text in texts)

    sink = CommandSink(CommandDestination(argv, timeout), spool=str(spool / "spool"), said=say, **means)
    try:
        yield Hand(sink, said)
    finally:
        await sink.close()


def deliver(argv: tuple[str, ...], spool: Path, *messages: bytes, **settings: Any) -> list[str]:
    """Deliver messages; return the receipts."""

    async def run() -> list[str]:
        async with handing(argv, spool, **settings) as hand:
            await hand.sink.prepare(0)
            return [await hand.send(message) for message in messages]

    return trio.run(run)


def failure(
    kind: type[DeliveryFailed],
    match: str,
    argv: tuple[str, ...],
    spool: Path,
    *,
    message: bytes = MESSAGE,
    **settings: Any,
) -> DeliveryFailed:
    """Return the error with which the delivery to a command fails."""

    async def run() -> None:
        async with handing(argv, spool, **settings) as hand:
            await hand.send(message)

    with pytest.raises(kind, match=match) as caught:
        trio.run(run)
    assert type(caught.value) is kind
    return caught.value


class Lifeline:
    """A FIFO that commands open. It shows whether one of them, or one of their children, is still alive."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lifeline"
        os.mkfifo(self.path)
        self._reading = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._tail = b""
        #: Shell code with which a command opens it and reports that it has begun.
        self.grip = f"exec 9>{self.path}; echo begun >&9"

    @property
    def alive(self) -> bool:
        """Whether a process has it open."""
        try:
            data = os.read(self._reading, 1000)
        except BlockingIOError:
            return True
        self._tail += data
        return bool(data)

    @property
    def begun(self) -> bool:
        """Whether a command has begun."""
        return self.alive and b"begun" in self._tail

    def close(self) -> None:
        os.close(self._reading)
