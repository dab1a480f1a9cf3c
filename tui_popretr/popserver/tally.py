"""What tests ask a server afterwards: how often it was called, what was said, what went wrong inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class ServerLine(NamedTuple):
    """One line of dialogue as it was on the wire, passwords included: `sender` is "C" or "S".

    Of a multi-line response only the status line is kept.
    """

    connection: int
    sender: str
    text: bytes


@dataclass(slots=True)
class ServerCounters:
    """Counters over all connections of a server; `dialogue` is kept only when asked for."""

    connections: int = 0
    pipelined: int = 0  # commands that were sent before the previous one's reply
    dialogue: list[ServerLine] | None = None
    failures: list[Exception] = field(default_factory=list)  # the server's own mistakes; empty unless it has a bug
    last_login: dict[str, float] = field(default_factory=dict)  # by maildrop, on the server's clock

    def said(self, connection: int, sender: str, text: bytes) -> None:
        """Keep a line of dialogue, if dialogue is kept."""
        if self.dialogue is not None:
            self.dialogue.append(ServerLine(connection, sender, text))
