"""Faults on demand: what a server does wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum


class ConnectionCutOff(Exception):
    """The server closes the connection now, without a reply and without TLS's close_notify."""


class Stalled(Exception):
    """The server sends nothing more on this connection."""


class QuitFault(Enum):
    """What goes wrong at QUIT."""

    NONE = "none"
    KEEP = "+OK, deletions not applied"
    REFUSED = "-ERR, deletions not applied"
    CUT_BEFORE_UPDATE = "closed without a reply, deletions not applied"
    CUT_AFTER_UPDATE = "closed without a reply, deletions applied"


class PipelineFault(Enum):
    """What goes wrong when a client has sent more than one command."""

    NONE = "none"
    FORGOTTEN = "the commands behind the first are discarded"
    CUT = "closed without a reply"
    GARBAGE = "the reply is no POP3 reply"
    REFUSED = "all commands are taken for one, which is unknown"


class SaslFault(Enum):
    """What a server does wrong that does not know the password, or that is hostile."""

    NONE = "none"
    WRONG_SIGNATURE = "SCRAM: a wrong server signature"
    NO_SIGNATURE = "SCRAM: +OK without a server signature"
    CHANGED_NONCE = "SCRAM: a nonce that does not begin with the client's"
    HUGE_ITERATIONS = "SCRAM: 10^9 iterations"


@dataclass(slots=True)
class Faults:
    """A server without faults by default. The fields may be changed while the server runs.

    Messages are named by number (int) or by uid (str), commands by their verb in capitals. Pseudo-verbs are GREETING,
    HANDSHAKE (TLS's) and, only for `stall` and `hang_up`, RESPONSE (to a challenge of AUTH). Octets of a message are
    counted on the wire, after RETR's status line.
    """

    refuse: set[int | str] = field(default_factory=set)  # RETR of these is answered with -ERR
    cut: dict[int | str, int] = field(default_factory=dict)  # the connection ends after this number of octets
    stall_within: dict[int | str, int] = field(default_factory=dict)  # nothing more is sent after this number of octets
    stall: set[str] = field(default_factory=set)  # these commands are never answered
    hang_up: set[str] = field(default_factory=set)  # the connection ends at these commands
    answers: dict[str, bytes] = field(default_factory=dict)  # raw octets instead of the command's effect
    delay: float = 0.0  # seconds before each reply
    rate: float | None = None  # octets per second
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
        """Yield the part of a message that is sent, then raise the fault that replaces its end."""
        limits = (
            (self.cut.get(number, self.cut.get(uid)), ConnectionCutOff),
            (self.stall_within.get(number, self.stall_within.get(uid)), Stalled),
        )
        planned = [(limit, fault) for limit, fault in limits if limit is not None]
        if not planned:
            yield from pieces
            return
        left, fault = min(planned, key=lambda plan: plan[0])
        for piece in pieces:
            if len(piece) > left:
                yield piece[:left]
                break
            yield piece
            left -= len(piece)
        raise fault
