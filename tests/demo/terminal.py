"""A terminal as a text stream: it shows what a carriage return and overwriting leave."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """Says that it is a terminal, and knows how its screen looks."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines as they can be seen, without blanks at their ends."""
        lines = []
        for written in self.getvalue().split("\n"):
            shown = ""
            for piece in written.split("\r"):
                shown = piece + shown[len(piece) :]
            lines.append(shown.rstrip())
        return lines
