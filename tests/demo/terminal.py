"""A terminal as a text stream, which handles carriage returns."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """Claims to be a terminal, and computes what its screen shows."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The visible lines, without trailing blanks."""
        lines = []
        for written in self.getvalue().split("\n"):
            shown = ""
            for piece in written.split("\r"):
                shown = piece + shown[len(piece) :]
            lines.append(shown.rstrip())
        return lines
