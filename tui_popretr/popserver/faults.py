"""Misbehaviour on demand: what a server does wrong, for tests and for the demo's troubled accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum


class ConnectionCutOff(Exception):
    """The server is to close the connection now, without a word and without TLS's close_notify."""


class Stalled(Exception):
    """The server is to say nothing more on this connection."""


class QuitFault(Enum):
    """What goes wrong at QUIT."""

    NONE = "none"
    KEEP = "+OK, deletions not applied"
    REFUSED = "-ERR, deletions not applied"
    CUT_BEFORE_UPDATE = "closed without an answer, deletions not applied"
    CUT_AFTER_UPDATE = "closed without an answer, deletions applied"


class PipelineFault(Enum):
    """What goes wrong when a client has sent more than one command."""

    NONE = "none"
    FORGOTTEN = "what came behind the first is forgotten"
    CUT = "closed without an answer"
    GARBAGE = "answered with what is no answer"
    REFUSED = "taken for one command, and that is unknown"


class SaslFault(Enum):
    """What a server does wrong that does not know the password, or wants to do harm."""

    NONE = "none"
    WRONG_SIGNATURE = "SCRAM: a proof that does not prove"
    NO_SIGNATURE = "SCRAM: +OK without a proof"
    CHANGED_NONCE = "SCRAM: a nonce that does not begin with the client's"
    HUGE_ITERATIONS = "SCRAM: a thousand million rounds of hashing"


@dataclass(slots=True)
class Faults:
    """A well-behaved server, unless told otherwise; may be changed while the server runs.

    Messages are named by number (int) or by uid (str), commands by their verb in capitals; pseudo-verbs are GREETING,
    HANDSHAKE (TLS's) and, to be stalled alone, RESPONSE (to a challenge of AUTH). Octets of a message are counted on
    the wire, behind RETR's status line.
    """

    refuse: set[int | str] = field(default_factory=set)  # RETR of these is answered with -ERR
    cut: dict[int | str, int] = field(default_factory=dict)  # the connection ends after so many octets of it
    stall_within: dict[int | str, int] = field(default_factory=dict)  # silence after so many octets of it
    stall: set[str] = field(default_factory=set)  # these commands are never answered
    hang_up: set[str] = field(default_factory=set)  # the connection ends at these commands
    answers: dict[str, bytes] = field(default_factory=dict)  # raw octets instead of obeying the command
    delay: float = 0.0  # seconds before each reply
    rate: float | None = None  # octets a second
    quit: QuitFault = QuitFault.NONE
    pipeline: PipelineFault = PipelineFault.NONE
    pipeline_room: int = 0  # octets of commands behind the first that do no harm
    sasl: SaslFault = SaslFault.NONE

    def before(self, verb: str) -> None:
        """Raise Stalled if the command is never answered, ConnectionCutOff if it ends the connection."""
        if verb in self.stall:
            raise Stalled
        if verb in self.hang_up:
            raise ConnectionCutOff

    def refuses(self, number: int, uid: str) -> bool:
        """Whether RETR of this message fails."""
        return number in self.refuse or uid in self.refuse

    def body(self, number: int, uid: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a message as far as it is to be sent, then raise what is to happen instead of its end."""
        limits = (
            (self.cut.get(number, self.cut.get(uid)), ConnectionCutOff),
            (self.stall_within.get(number, self.stall_within.get(uid)), Stalled),
        )
        planned = [(limit, what) for limit, what in limits if limit is not None]
        if not planned:
            yield from pieces
            return
        left, what = min(planned, key=lambda plan: plan[0])
        for piece in pieces:
            if len(piece) > left:
                yield piece[:left]
                break
            yield piece
            left -= len(piece)
        raise what
