"""What a login needs of its user. The terminal is behind it in the program, and memory in tests."""

from __future__ import annotations

from typing import Protocol


class Person(Protocol):
    """The user of a login."""

    def say(self, text: str = "") -> None:
        """Print sentences; long lines may be wrapped."""
        ...

    def show(self, text: str) -> None:
        """Print a line that the user copies: whole, without anything else on it, never wrapped."""
        ...

    def ask(self, question: str) -> str:
        """Return the answer to a question. Raises UsageError at the end of input."""
        ...

    def open(self, address: str) -> bool:
        """Open an address in a browser; return False if there is none."""
        ...
