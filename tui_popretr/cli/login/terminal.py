"""The user at the terminal of `login`: sentences, lines to copy, questions, a browser."""

from __future__ import annotations

import contextlib
import sys

from tui_popretr.cli.folding import folded
from tui_popretr.cli.login.webbrowser import open_address
from tui_popretr.errors import UsageError


class Terminal:
    """A Person (oauth/person.py). `quiet`: print only what the user needs to log in."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        if sys.stdin is not None and sys.stdin.isatty():
            # Without it the terminal cuts a line of more than 4,095 characters.
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401

    def say(self, text: str = "") -> None:
        """Print sentences, wrapped between words."""
        print(folded(text), flush=True)

    def report(self, text: str) -> None:
        """Print a result, unless quiet."""
        if not self._quiet:
            self.say(text)

    def show(self, text: str) -> None:
        """Print a line to be copied. The terminal may wrap it, and joins it again when it is copied."""
        print(f"\n{text}\n", flush=True)

    def ask(self, question: str) -> str:
        """Return a line that the user enters. Raises UsageError at the end of the input."""
        try:
            return input(f"{question}: ").strip()
        except EOFError:
            print()
            raise UsageError("the input ended before the login was complete") from None
        except UnicodeDecodeError:
            return ""

    def open(self, address: str) -> bool:
        """Open an address in a browser with windows; return whether there is one."""
        return open_address(address)
