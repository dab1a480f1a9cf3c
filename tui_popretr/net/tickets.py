"""TLS sessions that may be resumed: what a server gave at the end of one connection, for the beginning of another.

Resuming saves the certificates with their verification, and up to TLS 1.2 a round trip. It vouches for nothing new: the
server proves that it is the one whose certificate was verified then. So that is not believed for long, and not beyond
the certificate's own end. All is in memory only.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui_popretr.net.certificate import Certificate

#: Host and port.
Server = tuple[str, int]

#: A certificate that was verified so long ago is looked at again; a server that cannot resume is asked again then.
DAY = timedelta(days=1)
#: Tickets of one server: as many sessions run at once on it, as a rule. Each takes some 14 kB.
EACH = 8
#: Servers with equal policies of which there are tickets.
SERVERS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A session to resume, the server's certificate, and when that was verified: not again since, if it was resumed."""

    session: ssl.SSLSession
    certificate: Certificate
    verified: datetime
    pinned: bool

    def good(self, now: datetime) -> bool:
        """Tell whether what it stands for would be accepted now. The clock may have been put back."""
        if not self.verified <= now < self.verified + DAY:
            return False
        expires = self.certificate.expires
        return self.pinned or (expires is not None and now < expires)


class Tickets:
    """The tickets for one SSL context, which alone can use them. Each is for one connection (RFC 8446 appendix C.4)."""

    def __init__(self) -> None:
        self._of: OrderedDict[Server, list[Ticket]] = OrderedDict()
        self._unwilling: dict[Server, datetime] = {}

    def take(self, server: Server, now: datetime) -> Ticket | None:
        """Remove and return the newest ticket of a server that is still good."""
        tickets = self._of.get(server, [])
        while tickets:
            ticket = tickets.pop()
            if ticket.good(now):
                return ticket
        return None

    def wanted(self, server: Server, now: datetime) -> bool:
        """Tell whether another ticket of the server is of use."""
        since = self._unwilling.get(server)
        if since is not None and since <= now < since + DAY:
            return False
        return len(self._of.get(server, [])) < EACH

    def keep(self, server: Server, ticket: Ticket) -> None:
        """Add a ticket; those of the server that was heard of longest ago may have to go."""
        self._of.setdefault(server, []).append(ticket)
        self._of.move_to_end(server)
        if len(self._of) > SERVERS:
            self._of.popitem(last=False)

    def unwilling(self, server: Server, now: datetime) -> None:
        """A handshake failed that offered a ticket, and the one without did not: offer none for a day."""
        self._of.pop(server, None)
        self._unwilling[server] = now
