"""A sequence of commands: sent together if the server offers PIPELINING (RFC 2920), else one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from tui_popretr.delivery.smtp.wire import SmtpConnection
from tui_popretr.smtp.reply import Reply

#: Octets of several commands that are sent before their answers are read. They fit into any TCP window, so that client
#: and server never wait for each other to read (RFC 2920 §3.1).
WINDOW: Final = 4096


class Commands:
    """Commands, each sent at the latest when its answer is read. Blocking. Raises DeliveryFailed.

    DATA may only be the last one: it ends a group (RFC 2920 §3.1).
    """

    def __init__(self, wire: SmtpConnection, lines: Iterable[str], *, together: bool) -> None:
        self._wire = wire
        self._lines = deque(lines)
        self._window = WINDOW if together else 0

    def answer(self, patience: float) -> Reply:
        """Return the answer to the next command."""
        if not self._wire.due:
            self._wire.command(*self._next_group())
        return self._wire.reply(patience)

    def skip(self, patience: float) -> list[Reply]:
        """Send nothing more; return the answers to the commands that were sent."""
        self._lines.clear()
        answers = []
        while self._wire.due:
            answers.append(self._wire.reply(patience))
        return answers

    def _next_group(self) -> list[str]:
        group = [self._lines.popleft()]
        room = self._window - len(group[0]) - 2
        while self._lines and (room := room - len(self._lines[0]) - 2) >= 0:
            group.append(self._lines.popleft())
        return group
