"""What is killed: into which destination it delivers, from what kind of server, and what stays there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Final

from tests.support.popserver import ServerPolicy


class Kind(Enum):
    """A kind of destination."""

    MAILDIR = "maildir"
    FOLDER = "folder"
    SMTP = "smtp"
    COMMAND = "command"

    @property
    def remote(self) -> bool:
        """Whether messages are handed over to somebody whom nobody can ask what they have had before."""
        return self in (Kind.SMTP, Kind.COMMAND)


class Server(Enum):
    """A kind of server, as the embedded one plays it."""

    PIPELINING = ServerPolicy()
    #: An old one: one command at a time, and what is owed is compared by retrieving it.
    ONE_BY_ONE = ServerPolicy(pipelining=False, top=False)
    #: Only the whole of a message tells what it is.
    NO_UIDL = ServerPolicy(uidl=False)


class Keeping(Enum):
    """What stays on the server; the values are preserve and newonly of the client."""

    NOTHING = ("N", "N")
    ALL = ("Y", "N")
    #: So that each run retrieves only what is new.
    ALL_KNOWN = ("Y", "Y")


@dataclass(frozen=True, slots=True)
class Case:
    """One of each."""

    kind: Kind
    server: Server
    keeping: Keeping

    def __str__(self) -> str:
        return f"{self.kind.name}-{self.server.name}-{self.keeping.name}".lower()


#: newonly cannot be had without UIDL.
CASES: Final = tuple(
    case
    for case in (Case(*each) for each in product(Kind, Server, Keeping))
    if (case.server, case.keeping) != (Server.NO_UIDL, Keeping.ALL_KNOWN)
)
#: Those that are usual, for every change.
USUAL: Final = tuple(case for case in CASES if case.server is not Server.NO_UIDL and case.keeping is not Keeping.ALL)
