"""Lines of dialogue for tests."""

from __future__ import annotations

from tests.support.clock import local
from tui_popretr.facts import DialogueLine, Direction, SessionId

NOW = local(2026, 11, 23, 7, 27, 59, 107)


def line(text: str, client: str = "id1", direction: Direction = Direction.IN, run: int = 1) -> DialogueLine:
    """A line at 07:27:59.107."""
    return DialogueLine(SessionId(client, run), NOW, direction, text)


def lines(count: int, client: str = "id1", first: int = 0) -> list[DialogueLine]:
    """Lines that are numbered in their text: `line 0` and so on."""
    return [line(f"line {number}", client) for number in range(first, first + count)]
