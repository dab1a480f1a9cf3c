"""The dialogue of a daemon as its events and snapshots bring it: bounded, and no line twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from tui_popretr.facts import DialogueLine
from tui_popretr.mailbox import LINES

#: The latest lines that are looked for in a snapshot, to show none twice. Hundreds of lines may be equal, such as the
#: replies to pipelined DELE commands, and then only a different line before them shows which of them are known.
_KNOWN: Final = 500


class WatchedLines:
    """Lines that wait for the dashboard. Not thread-safe."""

    def __init__(self) -> None:
        #: The lines that the daemon has dropped before the next snapshot.
        self.gap = 0
        self._waiting: deque[DialogueLine] = deque()
        self._dropped = 0
        self._known: deque[DialogueLine] = deque(maxlen=_KNOWN)

    def take(self) -> tuple[list[DialogueLine], int]:
        """Return the lines that wait, and the number of those that were dropped before them."""
        taken = list(self._waiting), self._dropped
        self._waiting.clear()
        self._dropped = 0
        return taken

    def add(self, lines: Iterable[DialogueLine]) -> None:
        """Add new lines."""
        for line in lines:
            self._waiting.append(line)
            self._known.append(line)
        while len(self._waiting) > LINES:
            self._waiting.popleft()
            self._dropped += 1

    def restore(self, lines: list[DialogueLine]) -> None:
        """Add those lines of a snapshot that are new. If all are, lines may be missing before them."""
        new = _lines_after(list(self._known), lines)
        if len(new) == len(lines):
            self._dropped += self.gap
        self.gap = 0
        self.add(new)


def _lines_after(known: list[DialogueLine], lines: list[DialogueLine]) -> list[DialogueLine]:
    """Return the lines after the known ones, or all if the known ones are not among them."""
    if known:
        for end in range(len(lines), 0, -1):
            length = min(len(known), end)
            if lines[end - length : end] == known[-length:]:
                return lines[end:]
    return lines
