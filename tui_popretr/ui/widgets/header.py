"""The line at the top of a large terminal: name, version, what is shown and where, since when, and the time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui_popretr import __version__, wording
from tui_popretr.mailbox import Connection
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import cut, sanitize, width
from tui_popretr.ui.widgets.oneline import OneLine
from tui_popretr.ui.widgets.styled import ACTIVE, BAD, DIM, Cell


class Header(OneLine):
    """Name, version, host and configuration on the left; uptime or connection, and the clock on the right."""

    def __init__(self, host: str, title: str) -> None:
        super().__init__(id="header")
        self._program = formatting.join((__version__, *map(sanitize, (title, host))))
        self._connection: Connection | None = None
        self._uptime = ""
        self._clock = ""

    def set_connection(self, connection: Connection) -> None:
        """Show the state of the connection to the daemon instead of the uptime."""
        self._connection = connection
        self.refresh()

    def set_time(self, wall: datetime, uptime: float) -> None:
        """Set the local time, and the seconds since the program has started. Both are shown in minutes."""
        texts = f"{wall:%H:%M}", f"up {wording.duration(uptime - uptime % 60)}" if uptime >= 60 else ""
        if texts != (self._clock, self._uptime):
            self._clock, self._uptime = texts
            self.refresh()

    def cells(self, size: int) -> Sequence[Cell]:
        name = " tui-popretr "
        connection = self._connection
        state = self._uptime if connection is None else sanitize(connection.texts[0])
        style = DIM if connection is None or connection.connected else BAD
        right = f"{state}  " if state else ""
        left = cut(self._program, max(0, size - len(name) - width(right) - len(self._clock) - 1))
        return Cell(name, ACTIVE), Cell(left, DIM), Cell(right, style), Cell(self._clock)
