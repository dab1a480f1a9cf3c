"""The states of a session at an end. For each, an account holds a session in that state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.support.popserver import Faults, ServerPolicy
from tests.support.popserver.faults import Stalled
from tui_popretr.popserver.certificates import ca_path
from tui_popretr.session.exploration import WORTH_ASKING

IMPLICIT_TLS = f'<ssl tspath="{ca_path()}"/>'
STLS = f'<ssl latent="Y" tspath="{ca_path()}"/>'
SMALL, LARGE = 200, 400_000
#: With pipelining all messages would be in flight together.
ONE_BY_ONE = ServerPolicy(pipelining=False)


@dataclass(slots=True)
class SecondCall(Faults):
    """A server that greets its first connection, and stays silent on the next ones."""

    calls: int = 0

    def before(self, verb: str) -> None:
        self.calls += verb == "GREETING"
        if self.calls > 1:
            raise Stalled


@dataclass(frozen=True, slots=True)
class State:
    """An account, its server, and its client's settings, which together hold a session in one state.

    The session is in its state when the server has accepted `connections` connections and read a line that begins with
    `hears`, and `arrived` messages are in the destination.
    """

    hears: bytes = b""
    server: Faults = field(default_factory=Faults)  # up to the login
    account: Faults = field(default_factory=Faults)  # and from there on
    policy: ServerPolicy = ONE_BY_ONE
    sizes: tuple[int, ...] = (SMALL, SMALL, SMALL)  # of the messages, about
    arrived: int | None = 0  # None: any number
    connections: int = 1
    attributes: str = ""
    login: str = "USERPASS"
    ssl: str = ""
    folder: bool = False  # into a folder instead of a Maildir
    quits: bool = False  # an end in order can send QUIT


def _silent_at(verb: str, *, ssl: str = "", login: str = "USERPASS", hears: bytes | None = None) -> State:
    """Before the login."""
    return State(verb.encode() if hears is None else hears, server=Faults(stall={verb}), ssl=ssl, login=login)


def _silent_after(verb: str, *, arrived: int = 0, policy: ServerPolicy = ONE_BY_ONE) -> State:
    """After the login."""
    return State(verb.encode(), account=Faults(stall={verb}), arrived=arrived, policy=policy)


#: The states that servers cause. The client and the account have the name of the state.
STATES: Final[dict[str, State]] = {
    "run-and-waiting": State(b"QUIT", sizes=(), quits=True),
    "greeting-awaited": State(server=Faults(stall={"GREETING"}), sizes=()),
    "half-a-greeting": State(server=Faults(answers={"GREETING": b"+OK wel"})),
    "handshake": _silent_at("HANDSHAKE", hears=b"", ssl=IMPLICIT_TLS),
    "capa-awaited": State(b"CAPA", server=Faults(stall={"CAPA"}), attributes='capa="Y"'),
    "stls-awaited": _silent_at("STLS", ssl=STLS),
    "stls-handshake": _silent_at("HANDSHAKE", hears=b"STLS", ssl=STLS),
    "user-awaited": _silent_at("USER"),
    "pass-awaited": _silent_at("PASS"),
    "apop-awaited": _silent_at("APOP", login="APOP"),
    "auth-awaited": _silent_at("AUTH", login="SASL_CRAM_MD5"),
    "auth-response": _silent_at("RESPONSE", login="SASL_CRAM_MD5", hears=b"AUTH CRAM-MD5"),
    "capa-after-login": State(b"CAPA", account=Faults(stall={"CAPA"}), sizes=(SMALL,) * WORTH_ASKING),
    "stat-awaited": _silent_after("STAT"),
    "uidl-awaited": _silent_after("UIDL"),
    "list-awaited": _silent_after("LIST"),
    "both-listings-awaited": _silent_after("UIDL", policy=ServerPolicy()),
    "half-of-uidl": State(b"UIDL", account=Faults(answers={"UIDL": b"+OK\r\n1 uid-1\r\n2 ui"})),
    "half-of-list": State(b"LIST", account=Faults(answers={"LIST": b"+OK\r\n1 100\r\n"})),
    "retr-awaited": _silent_after("RETR"),
    "retrs-awaited": _silent_after("RETR", policy=ServerPolicy()),
    "in-a-message": State(b"RETR 3", account=Faults(stall_within={3: 100}), arrived=2),
    "in-a-message-with-more-behind": State(
        b"RETR 3", account=Faults(stall_within={3: 100}), sizes=(SMALL,) * 5, arrived=2, policy=ServerPolicy()
    ),
    "in-a-large-message": State(
        b"RETR 2", account=Faults(stall_within={2: LARGE // 2}), sizes=(SMALL, LARGE), arrived=1
    ),
    "in-a-large-message-to-a-folder": State(
        b"RETR 2", account=Faults(stall_within={2: LARGE // 2}), sizes=(SMALL, LARGE), arrived=1, folder=True
    ),
    "message-in-drops": State(b"RETR", account=Faults(rate=1000.0), sizes=(LARGE,)),
    "dele-awaited": State(b"DELE", account=Faults(stall={"DELE"}), sizes=(SMALL,), arrived=1),
    "deles-awaited": _silent_after("DELE", arrived=3, policy=ServerPolicy()),
    "quit-awaited": _silent_after("QUIT", arrived=3),
    "second-greeting-awaited": State(
        b"RETR 2", server=SecondCall(), account=Faults(cut={2: 100}), arrived=1, connections=2
    ),
    "top-awaited": State(b"TOP", account=Faults(cut={2: 100}, stall={"TOP"}), arrived=2, connections=2),
    "slow-but-well": State(b"RETR", account=Faults(delay=0.2), sizes=(SMALL,) * 60, arrived=None, quits=True),
}
