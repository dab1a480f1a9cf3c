"""Commands, sinks and messages for tests of delivery to commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.making import WHEN, prepare
from tui_popretr.config.model import CommandDestination
from tui_popretr.delivery.command.sink import CommandSink
from tui_popretr.delivery.spooldraft import SpoolDraft
from tui_popretr.errors import DeliveryFailed, PopretrError
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

    def send(self, message: bytes = MESSAGE) -> SpoolDraft:
        """Deliver a message, as the committer does it."""
        draft = self.sink.open(7, WHEN)
        draft.write(message)
        prepare(draft)
        try:
            draft.publish()
        except PopretrError:
            draft.abort()
            raise
        return draft


@contextmanager
def handing(argv: tuple[str, ...], spool: Path, *, timeout: float = 30.0, **means: Any) -> Iterator[Hand]:
    """Make a sink, and close it in the end."""
    said: list[str] = []

    def say(direction: Direction, text: str) -> None:
        said.append(f"{direction.value} {text}")

    sink = CommandSink(CommandDestination(argv, timeout), spool=str(spool / "spool"), said=say, **means)
    try:
        yield Hand(sink, said)
    finally:
        sink.close()


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
    with handing(argv, spool, **settings) as hand, pytest.raises(kind, match=match) as caught:
        hand.send(message)
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
