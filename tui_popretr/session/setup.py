"""The steps of exploring a connection: connect, greeting, TLS, CAPA, listing. exploration.py puts them in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tui_popretr.bus import Bus
from tui_popretr.clock import Clock
from tui_popretr.config.account import Server
from tui_popretr.config.model import ClientSettings
from tui_popretr.errors import (
    RETRIED,
    CommandRefused,
    ConnectionCut,
    GreetingRefused,
    PopretrError,
    ProtocolViolation,
    ServerStalled,
    ServerTemporaryFailure,
    StlsRefused,
    UidlUnavailable,
)
from tui_popretr.facts import (
    CapabilitiesLearned,
    Dialogue,
    Direction,
    Part,
    SessionAdvanced,
    SessionConnected,
    SessionId,
    Stage,
    TlsStarted,
)
from tui_popretr.net.stream import Stream
from tui_popretr.pop3 import (
    Capa,
    Capabilities,
    Greeting,
    List,
    Listing,
    RemoteProtocolError,
    Reply,
    Stat,
    Stls,
    Uidl,
    parse_list,
    parse_stat,
    parse_uidl,
    response_code,
)
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import response_code_error
from tui_popretr.session.plan import Listed
from tui_popretr.session.services import ConnectionServices
from tui_popretr.text import visible

_TRY_IMPLICIT_TLS = 'if this port speaks TLS from the first byte (as 995 does), use <ssl latent="N"/>'

Connector = Callable[[Server, float], Awaitable[Stream]]


@dataclass(frozen=True, slots=True)
class ConnectionSetup:
    """Opens one connection of one client. `connector` makes the stream; `timeout` is in seconds."""

    session: SessionId
    client: ClientSettings
    bus: Bus
    clock: Clock
    connector: Connector
    timeout: float
    services: ConnectionServices

    async def connect(self) -> Pop3Connection:
        """Connect, and do the handshake if TLS is implicit."""
        server, bodies = self.client.server, self.client.full_transcript
        self.bus.publish(SessionAdvanced(self.session, Stage.CONNECTING))
        stream = await self.connector(server, self.timeout)
        connection = Pop3Connection(stream, self.session, self.bus, self.clock, timeout=self.timeout, bodies=bodies)
        try:
            if server.tls is not None and not server.tls.latent:
                await connection.start_tls(server, self.services.contexts)
        except BaseException:
            stream.close()
            raise
        self._announce(connection)
        return connection

    def _announce(self, connection: Pop3Connection) -> None:
        now = self.clock.now()
        stream, tls, bus = connection.stream, connection.tls, self.bus
        self.bus.publish(SessionConnected(self.session, now, stream.local, stream.remote, tls))
        if bus.wants_dialogue:
            secured = f" ({tls.version})" if tls else ""
            text = f"Connection from {stream.local} to {stream.remote}{secured}"
            bus.publish_dialogue(Dialogue(self.session, now, [(Direction.OPENED, text)], [Part(0)]))

    async def greet(self, connection: Pop3Connection) -> Greeting:
        """Wait for the greeting. Raises if it is -ERR."""
        greeting = await self._greeting(connection)
        if not greeting.ok:
            raise response_code_error(greeting.text, response_code(greeting.text)) or GreetingRefused(
                f"the server refused access: {visible(greeting.text, 200) or 'without a reason'}"
            )
        return greeting

    async def secure(self, connection: Pop3Connection) -> None:
        """Send STLS if TLS is latent, and do the handshake."""
        server = self.client.server
        if server.tls is not None and server.tls.latent:
            reply = await connection.call(Stls())
            assert isinstance(reply, Reply)
            if not reply.ok:
                raise StlsRefused(f"the server refuses STLS: {visible(reply.text, 200)}")
            await connection.start_tls(server, self.services.contexts)
            tls = connection.tls
            assert tls is not None
            self.bus.publish(TlsStarted(self.session, tls))
            connection.event(f"TLS started ({tls.version}, {tls.cipher})")

    async def _greeting(self, connection: Pop3Connection) -> Greeting:
        try:
            return await connection.greeting()
        except (ConnectionCut, ServerStalled, ProtocolViolation) as problem:
            tls = self.client.server.tls
            if tls is None or tls.latent:
                # A server that waits for a ClientHello is silent, or ends the connection, perhaps with an alert.
                other = f"{problem.advice}; " if isinstance(problem, ProtocolViolation) else ""
                problem.advice = f"{other}{_TRY_IMPLICIT_TLS}"
            raise

    async def capabilities(self, connection: Pop3Connection) -> Capabilities | None:
        """Send CAPA and return the capabilities; None if the server refuses it."""
        answer = await connection.call(Capa())
        if not isinstance(answer, Listing):
            return None
        capabilities = connection.machine.capabilities
        assert capabilities is not None  # it was a listing
        self.bus.publish(CapabilitiesLearned(self.session, capabilities.lines))
        return capabilities

    async def listing(
        self,
        connection: Pop3Connection,
        capabilities: Capabilities | None,
        *,
        pipelining: bool,
        counted: Callable[[int], Awaitable[bool]],
        warn: Callable[[str], None],
    ) -> tuple[list[Listed], int]:
        """Send STAT, UIDL and LIST, with `pipelining` together; return the messages and their total octets.

        Without `pipelining`, `counted` is called with the number of messages; it returns whether UIDL and LIST are sent
        together. `warn` gets a text if messages are missing in the listing.
        """
        ask = (Stat(), Uidl(), List())
        stat, *listings = await connection.call_all(ask if pipelining else ask[:1])
        assert isinstance(stat, Reply)
        if not stat.ok:
            raise _refused("STAT", stat)
        try:
            count, octets = parse_stat(stat.text)
        except RemoteProtocolError as problem:
            raise ProtocolViolation(str(problem)) from problem
        if count == 0:
            return [], 0
        if not listings and await counted(count):
            listings = await connection.call_all(ask[1:])
        uidl, listing = listings or (await connection.call(Uidl()), await connection.call(List()))
        if isinstance(listing, Reply):
            raise _refused("LIST", listing)
        if isinstance(uidl, Reply):
            refusal = _refused("UIDL", uidl)
            # Without UIDs, messages of an interrupted session would be delivered twice. So a server that has UIDs is
            # asked again at the next run.
            if not isinstance(refusal, CommandRefused):
                raise refusal
            if capabilities is not None and capabilities.uidl:
                raise ServerTemporaryFailure(f"{refusal}, although it offers it")
        assert isinstance(listing, Listing)
        uids = parse_uidl(uidl.data, count, connection.machine.contains_secret) if isinstance(uidl, Listing) else {}
        if not uids and (self.client.retention.new_only or self.client.retention.delete_after is not None):
            raise UidlUnavailable("the server gives no usable UIDs (UIDL)")
        sizes = parse_list(listing.data, count)
        if len(sizes) < count:
            warn(f"the server counts {count} messages (STAT) and lists {len(sizes)} (LIST): the others stay on it")
        return [Listed(number, uids.get(number), size) for number, size in sizes.items()], octets


def _refused(command: str, reply: Reply) -> PopretrError:
    """Return the error for a refused command that a session needs."""
    words = visible(reply.text, 200) or "without a reason"
    return response_code_error(reply.text, reply.code) or CommandRefused(
        f"the server refuses {command}: {words}", advice=RETRIED
    )
