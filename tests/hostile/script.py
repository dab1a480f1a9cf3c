"""What a hostile server does, in a few words: at which command, and what comes instead of the ordinary answer.

    {"RETR 2": (part(40), CUT)}                 the first 40 octets of the ordinary answer, then the end
    {"STAT": b"+OK -1 5\\r\\n"}                   these octets
    {"CAPA": (b"+OK\\r\\n", endlessly(b"X\\r\\n"))}

A key is a whole command line, else its verb; "GREETING" is what comes first, "RESPONSE" an answer to a SASL challenge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

#: Seconds between two segments, so that each arrives alone.
TICK = 0.001


class Act(Enum):
    """What is done with the connection."""

    CUT = "closed"
    DROP = "closed, and TLS is not told; sockets only"
    RESET = "reset: closed without good manners (RST); sockets only"
    SILENCE = "open, and nothing is said any more"
    HANDSHAKE = "the server's side of TLS begins; sockets only"


CUT, DROP, RESET, SILENCE, HANDSHAKE = Act.CUT, Act.DROP, Act.RESET, Act.SILENCE, Act.HANDSHAKE


@dataclass(frozen=True, slots=True)
class Say:
    """Octets to send; None: the ordinary answer, and what the command asks for is done."""

    octets: bytes | None = None
    start: int | None = None  # only those from here on
    stop: int | None = None  # and up to here
    more: bytes = b""  # behind them, in the same segment
    edit: Callable[[bytes], bytes] = bytes  # as this makes them
    size: int | None = None  # in segments of so many; None: in one piece
    pause: float = TICK  # seconds between two segments
    endless: bool = False  # over and over again


#: A number is seconds to wait.
Step = bytes | float | Say | Act
Play = Step | tuple[Step, ...]
Script = Mapping[str, Play]

ORDINARY = Say()
#: The command is performed without a reply.
UNSAID = Say(stop=0)


def part(stop: int) -> Say:
    """The ordinary answer up to here; a negative number counts from its end."""
    return Say(stop=stop)


def rest(start: int) -> Say:
    """The ordinary answer from here on."""
    return Say(start=start)


def edited(edit: Callable[[bytes], bytes]) -> Say:
    """The ordinary answer as `edit` makes it."""
    return Say(edit=edit)


def segments(size: int, octets: bytes | None = None) -> Say:
    """The ordinary answer, or these octets, in segments of `size` octets."""
    return Say(octets, size=size)


def slowly(seconds: float, octets: bytes | None = None) -> Say:
    """The ordinary answer, or these octets, one by one, with so many seconds between two."""
    return Say(octets, size=1, pause=seconds)


def endlessly(octets: bytes) -> Say:
    """These octets over and over again, until the client has gone."""
    return Say(octets, endless=True)
