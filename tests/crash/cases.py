"""The cases of the crash tests: the destination, the kind of server, and the messages that stay on it."""

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
    LMTP = "lmtp"
    COMMAND = "command"
    IMAP = "imap"

    @property
    def remote(self) -> bool:
        """Whether messages are sent to a server or a command."""
        return self in (Kind.SMTP, Kind.LMTP, Kind.COMMAND, Kind.IMAP)


class Server(Enum):
    """A kind of server; the embedded one takes its policy."""

    PIPELINING = ServerPolicy()
    #: An old one: one command at a time, and a message with a pending deletion is compared by RETR.
    ONE_BY_ONE = ServerPolicy(pipelining=False, top=False)
    #: A message can be identified only by its contents.
    NO_UIDL = ServerPolicy(uidl=False)


class Keeping(Enum):
    """The messages that stay on the server; the values are the client's preserve and newonly."""

    NOTHING = ("N", "N")
    ALL = ("Y", "N")
    #: Each run retrieves only new messages.
    ALL_KNOWN = ("Y", "Y")


@dataclass(frozen=True, slots=True)
class Case:
    """A destination, a server and its kept messages."""

    kind: Kind
    server: Server
    keeping: Keeping

    def __str__(self) -> str:
        return f"{self.kind.name}-{self.server.name}-{self.keeping.name}".lower()


#: newonly needs UIDL.
CASES: Final = tuple(
    case
    for case in (Case(*each) for each in product(Kind, Server, Keeping))
    if (case.server, case.keeping) != (Server.NO_UIDL, Keeping.ALL_KNOWN)
)
#: The usual ones, which are tested for every change.
USUAL: Final = tuple(case for case in CASES if case.server is not Server.NO_UIDL and case.keeping is not Keeping.ALL)
