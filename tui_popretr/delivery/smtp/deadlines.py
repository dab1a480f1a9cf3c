"""Timeouts for a mail server."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds to wait for the server. `end` is from RFC 5321 §4.5.3.2.6; the others are shorter than its minimums.

    A working server answers a command in seconds. A message without an answer is sent again at the next run.
    """

    connect: float = 30.0  # look-up and connection, for all addresses together
    handshake: float = 120.0  # of TLS
    answer: float = 120.0  # the greeting, and the answer to a command
    data: float = 120.0  # the answer to DATA
    piece: float = 120.0  # sending a piece of the message
    end: float = 600.0  # the answer to the end of the message; without it the message is sent twice
    quit: float = 1.0  # the answer to QUIT, and a last answer before the server closes the connection

    @classmethod
    def within(cls, timeout: float) -> Deadlines:
        """Return the deadlines for a configured timeout: `end` is that timeout, and no other deadline exceeds it."""
        longest = astuple(cls(end=timeout))
        return cls(*(min(each, timeout) for each in longest))


DEADLINES: Final = Deadlines()
