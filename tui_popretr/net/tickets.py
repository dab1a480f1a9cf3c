"""TLS session tickets: a server issues them on one connection, and the next connection resumes the session.

Resuming saves sending and verifying the certificates, and up to TLS 1.2 a round trip. A resumed session proves only
that the server is the one that was verified before. So a ticket is used for a day at most, and not after the
certificate has expired. Tickets are kept in memory only (docs/decisions/0010-resumption.md).
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui_popretr.net.certificate import Certificate

#: Host and port.
Server = tuple[str, int]

#: After this time a certificate is verified again, and a server that cannot resume is offered a ticket again.
DAY = timedelta(days=1)
#: Tickets of one server: the usual number of simultaneous sessions. Each takes about 14 kB.
PER_SERVER = 8
#: Servers with tickets, for each context.
SERVERS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A session to resume, the server's certificate, and the time of its verification. Resuming verifies nothing."""

    session: ssl.SSLSession
    certificate: Certificate
    verified: datetime
    pinned: bool

    def good(self, now: datetime) -> bool:
        """Whether the verification is still valid. The clock may have been set back."""
        if not self.verified <= now < self.verified + DAY:
            return False
        expires = self.certificate.expires
        return self.pinned or (expires is not None and now < expires)


class Tickets:
    """The tickets of one SSL context; another cannot use them. Each is used once (RFC 8446 appendix C.4)."""

    def __init__(self) -> None:
        self._of: OrderedDict[Server, list[Ticket]] = OrderedDict()
        self._disabled: dict[Server, datetime] = {}

    def take(self, server: Server, now: datetime) -> Ticket | None:
        """Remove and return the newest ticket of a server that is still good."""
        tickets = self._of.get(server, [])
        while tickets:
            ticket = tickets.pop()
            if ticket.good(now):
                return ticket
        return None

    def wanted(self, server: Server, now: datetime) -> bool:
        """Whether another ticket of the server is useful."""
        since = self._disabled.get(server)
        if since is not None and since <= now < since + DAY:
            return False
        return len(self._of.get(server, [])) < PER_SERVER

    def keep(self, server: Server, ticket: Ticket) -> None:
        """Add a ticket. With too many servers, the tickets of the least recent one are dropped."""
        self._of.setdefault(server, []).append(ticket)
        self._of.move_to_end(server)
        if len(self._of) > SERVERS:
            self._of.popitem(last=False)

    def disable(self, server: Server, now: datetime) -> None:
        """Offer no ticket to a server for a day: a handshake with one failed, and the next one without succeeded."""
        self._of.pop(server, None)
        self._disabled[server] = now
