"""How long the mail server may take for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds to wait for the server; those of the dialogue are RFC 5321's (§4.5.3.2)."""

    connect: float = 30.0  # finding and reaching it, all its addresses together
    handshake: float = 120.0  # of TLS
    answer: float = 300.0  # the greeting, and the answer to a command
    data: float = 120.0  # the answer to DATA
    piece: float = 180.0  # the taking of a piece of the message
    end: float = 600.0  # the answer to its end: who does not wait for it sends it twice
    farewell: float = 1.0  # the answer to QUIT, and last words, for which nobody wants to wait


DEADLINES: Final = Deadlines()
