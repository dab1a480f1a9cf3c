"""Exploring a connection, as far as is wanted: connect, TLS, CAPA, UTF8, login, listing.

Sessions, `check --connect`, `init` and `mark-seen` all explore in this way. The order is: greeting, STLS if TLS is
latent, CAPA, UTF8, login, STAT, UIDL, LIST. CAPA comes before the login, because UTF8 (RFC 6856 §2.1) and the choice of
a mechanism depend on it, and after TLS has begun. Servers may list more after the login. CAPA is sent again only if
they announce that (LOGIN-DELAY or EXPIRE with USER, RFC 2449 §6.5 and §6.7), or if PIPELINING was missing and there are
enough messages for it to pay off.

Some servers close the connection at CAPA, or never answer it. Then a second connection is made without CAPA, and
otherwise in the same way, with TLS if that is configured. capa.py says what is remembered of this.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final

import trio

from tui_popretr.clock import local_time
from tui_popretr.config.choices import CapaUse
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import RETRIED, ConnectionCut, PopretrError, ProtocolViolation, ServerStalled
from tui_popretr.facts import (
    Level,
    LoginSucceeded,
    Noted,
    SessionAdvanced,
    Stage,
    TlsDetails,
    TokenDetails,
    TokenUsed,
)
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.pop3 import Capabilities, Quit, Reply
from tui_popretr.session.breaks import Cause
from tui_popretr.session.capa import CapaHistories, CapaMemory
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, TokenRenewedError, log_in
from tui_popretr.session.pipelining import Pipelining, broke_by_pipelining
from tui_popretr.session.plan import Listed
from tui_popretr.session.setup import ConnectionSetup
from tui_popretr.text import visible

#: Seconds for the answer to CAPA.
CAPA_TIMEOUT: Final = 30.0
#: With at least this many messages a second CAPA pays off, if the first had no PIPELINING.
WORTH_ASKING: Final = 8

_BREAKS = (ConnectionCut, ServerStalled, ProtocolViolation)


@dataclass(slots=True)
class Findings:
    """What an exploration has found so far."""

    remote: str = ""
    tls: TlsDetails | None = None
    #: The greeting's timestamp for APOP.
    stamp: bytes | None = None
    #: None if CAPA was not sent or was refused.
    capabilities: Capabilities | None = None
    #: The login method that succeeded.
    mechanism: str = ""
    #: The access token of the login.
    token: TokenDetails | None = None
    #: The access token for the mail server of the destination; only probes look at it.
    destination_token: TokenDetails | None = None
    #: What is at the server of the destination, as names and values; only probes look at it.
    destination: list[tuple[str, str]] = field(default_factory=list)
    #: Whether the server sends messages in UTF-8 mode (RFC 6856 §2.1).
    utf8: bool = False
    #: Why nothing may be deleted: the server has listed UTF8 before and refuses it now. "" otherwise.
    no_deletion_reason: str = ""
    #: None before the listing.
    listing: list[Listed] | None = None
    octets: int = 0
    warnings: list[str] = field(default_factory=list)
    #: The error that ended a probe.
    problem: PopretrError | None = None

    @property
    def messages(self) -> int | None:
        """The number of messages in the maildrop; None before the listing."""
        return None if self.listing is None else len(self.listing)

    @property
    def uids(self) -> list[str]:
        """The UIDs of the messages that have one."""
        return [listed.uid for listed in self.listing or () if listed.uid is not None]


class _Capa(Enum):
    """How CAPA is used on the current connection."""

    FORBIDDEN = auto()  # capa="never"
    BACKING_OFF = auto()  # it broke a connection to this server less than a day ago
    SENT = auto()
    BROKE = auto()  # it broke the first connection; this is the second


class _CapaBrokeError(Exception):
    """The connection broke at CAPA."""

    def __init__(self, problem: PopretrError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Exploration:
    """Explores a client's maildrop over one connection, or over a second if CAPA broke the first.

    until_login(), log_in() and list_maildrop() are called in this order, as far as is wanted. They raise PopretrError.
    """

    def __init__(
        self, setup: ConnectionSetup, memory: CapaMemory | None = None, pipelining: Pipelining | None = None
    ) -> None:
        """Without `memory`, only what this connection finds counts. Without `pipelining`, commands are sent singly."""
        self._setup = setup
        self._memory = memory or CapaMemory(CapaHistories(), None, setup.clock)
        self._pipelining = pipelining
        self._capa = _Capa.FORBIDDEN
        #: The current connection; close() closes it.
        self.connection: Pop3Connection | None = None
        self.found = Findings()
        #: Whether several commands are sent together.
        self.pipelined = False
        #: What may have broken the connection, apart from the server and the network.
        self.cause: Cause | None = None

    def close(self) -> None:
        """Close the connection at once."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    async def leave(self, timeout: float) -> None:
        """Send QUIT if the server is waiting for a command; errors are ignored. `timeout` is in seconds."""
        if self.connection is not None and self.connection.machine.idle:
            with trio.move_on_after(timeout), contextlib.suppress(PopretrError):
                await self.connection.call(Quit())

    # --- until the login ----------------------------------------------------------------------------------------------

    async def until_login(self) -> None:
        """Connect, start TLS and send CAPA."""
        client = self._setup.client
        if client.capa is not CapaUse.NEVER:
            self._capa = _Capa.BACKING_OFF if await self._memory.backing_off(client.server) else _Capa.SENT
        try:
            await self._connect()
            return
        except _CapaBrokeError as broke:
            problem = broke.problem
        if (await self._memory.of(client.server)).time:
            problem.advice = (
                "the server has answered CAPA before, so CAPA is sent again at the next run. If the server was replaced"
                ' and the error persists, set capa="never" in the client'
            )
            raise problem
        self._warn(f"{problem}; connecting once more without CAPA")
        self.close()
        self._capa = _Capa.BROKE
        await self._connect()

    async def _connect(self) -> None:
        setup, client, found = self._setup, self._setup.client, self.found
        latent = client.server.tls is not None and client.server.tls.latent
        found.capabilities = None
        self.connection = connection = await setup.connect()
        found.remote, found.tls = connection.stream.remote, connection.tls
        found.stamp = (await setup.greet(connection)).stamp
        if self._capa is _Capa.SENT and latent and client.capa is CapaUse.STLS:
            await self._send_capa(connection)
        await setup.secure(connection)
        found.tls = connection.tls
        setup.bus.publish(SessionAdvanced(setup.session, Stage.LOGIN))
        if self._capa is _Capa.SENT:
            found.capabilities = await self._send_capa(connection)
            if found.capabilities is not None:
                await self._memory.answered(client.server, found.capabilities)
        elif self._capa is not _Capa.FORBIDDEN:
            connection.event("CAPA is not sent: the connection to this server broke at CAPA before")

    async def _send_capa(self, connection: Pop3Connection) -> Capabilities | None:
        try:
            with trio.move_on_after(CAPA_TIMEOUT):
                return await self._setup.capabilities(connection)
            raise ServerStalled(f"the server has not answered CAPA within {CAPA_TIMEOUT:g} s")
        except _BREAKS as problem:
            if not connection.machine.outstanding:  # it broke before CAPA was sent
                raise
            raise _CapaBrokeError(problem) from problem

    # --- the login ----------------------------------------------------------------------------------------------------

    async def log_in(self) -> Pop3Connection:
        """Connect and log in.

        If the server ends the connection because of an access token, the login is repeated with a new one.
        """
        await self.until_login()
        try:
            return await self._log_in()
        except TokenRenewedError:
            self._warn("the server has refused the access token and ended the connection; connecting once more")
        self.close()
        try:
            await self._connect()
        except _CapaBrokeError as broke:
            raise broke.problem from broke
        try:
            return await self._log_in()
        except TokenRenewedError:
            raise ConnectionCut("the server has refused two access tokens and ended the connection") from None

    async def _log_in(self) -> Pop3Connection:
        connection, found, server = self._connected, self.found, self._setup.client.server
        history = await self._memory.of(server)
        self.pipelined = await self._begin_pipelining()
        listed = found.capabilities is not None and found.capabilities.has("UTF8")
        options = LoginOptions(
            found.stamp,
            together=self.pipelined,
            utf8=listed or (found.capabilities is None and history.utf8),
            remembered=history.mechanisms if found.capabilities is None else (),
            services=self._setup.services,
        )
        try:
            found.mechanism = await log_in(connection, server, options)
        except _BREAKS:
            if connection.sent_together > 1 and connection.machine.outstanding > 0:
                self.cause = Cause.FIRST_PIPELINING
            raise
        self._setup.bus.publish(LoginSucceeded(self._setup.session, found.mechanism))
        if server.oauth is not None and options.token is not None:
            found.token = token_details(server.oauth, options.token)
            self._setup.bus.publish(TokenUsed(self._setup.session, found.token))
        await self._evaluate_utf8_reply(options.utf8_answer)
        asks_later = self._memory.second_capa_allowed(server)
        if found.capabilities is not None and asks_later and _announces_changes(found.capabilities):
            found.capabilities = await self._send_second_capa() or found.capabilities
        if self._capa is _Capa.BROKE:
            await self._memory.broke(server)
            self._warn(
                f"{server.address} cannot handle CAPA: it is not sent again for a day."
                ' capa="never" in the client switches it off'
            )
        return connection

    @property
    def _connected(self) -> Pop3Connection:
        assert self.connection is not None
        return self.connection

    async def _begin_pipelining(self) -> bool:
        if self._pipelining is None or not self._setup.client.pipelining:
            return False
        # The messages of such a server end with silence, which further replies would hide.
        connection = self._connected
        return await self._pipelining.begin(
            connection, None if connection.machine.bare_lines else self.found.capabilities
        )

    async def _evaluate_utf8_reply(self, answer: Reply | None) -> None:
        self.found.utf8 = answer is not None and answer.ok
        if answer is None or answer.ok:
            return
        reason = f"the server has listed UTF8 and refuses it now ({visible(answer.text, 200) or 'without a reason'})"
        if self._capa is _Capa.FORBIDDEN:
            reason += ': remove capa="never" for one run, so that CAPA shows whether the server still has it'
        elif self.found.capabilities is None and self._capa is _Capa.SENT:
            await self._memory.refused_utf8(self._setup.client.server)
        self.found.no_deletion_reason = reason

    async def _send_second_capa(self) -> Capabilities | None:
        """Send CAPA after the login. If that breaks the connection, this process does not send it there again."""
        try:
            return await self._send_capa(self._connected)
        except _CapaBrokeError as broke:
            self._memory.broke_at_second_capa(self._setup.client.server)
            self.cause = Cause.SECOND_CAPA
            raise broke.problem from broke

    # --- the listing --------------------------------------------------------------------------------------------------

    async def list_maildrop(self) -> list[Listed]:
        """List the messages, after the login."""
        connection, found, setup = self._connected, self.found, self._setup
        try:
            found.listing, found.octets = await setup.listing(
                connection, found.capabilities, pipelining=self.pipelined, counted=self._counted, warn=self._warn
            )
        except _BREAKS as problem:
            advise_after_login(problem)
            if self.cause is None and broke_by_pipelining(connection):
                self.cause = Cause.FIRST_PIPELINING
            raise
        return found.listing

    async def _counted(self, messages: int) -> bool:
        """Return whether several commands are sent together from now on, given the number of messages."""
        found, server = self.found, self._setup.client.server
        if (
            self._capa is not _Capa.SENT
            or self._pipelining is None
            or not self._setup.client.pipelining
            or messages < WORTH_ASKING
            or (found.capabilities is not None and found.capabilities.pipelining)
            or not (self._memory.second_capa_allowed(server) and self._memory.second_capa_useful(server))
        ):
            return self.pipelined
        later = await self._send_second_capa()
        if later is None or not later.pipelining:
            self._memory.record_useless_second_capa(server)
        if later is not None:
            found.capabilities = later
            self.pipelined = await self._begin_pipelining()
        return self.pipelined

    def _warn(self, text: str) -> None:
        setup = self._setup
        self.found.warnings.append(text)
        setup.bus.publish(Noted(setup.clock.now(), Level.WARNING, setup.session.client, text))


def token_details(oauth: OAuth, tokens: Tokens) -> TokenDetails:
    """Return what is shown about an access token."""
    expires = None if tokens.expires is None else local_time(datetime.fromtimestamp(tokens.expires, UTC))
    return TokenDetails(oauth.name, tokens.account or oauth.account, expires, tokens.scopes)


def advise_after_login(problem: PopretrError) -> None:
    """Change the advice of a ProtocolViolation after the login: the server's address is right."""
    if isinstance(problem, ProtocolViolation) and problem.advice == problem.default_advice:
        problem.advice = f"{RETRIED}; the transcript shows what the server said"


def _announces_changes(capabilities: Capabilities) -> bool:
    """Whether the server announces that a limit may differ for this user (RFC 2449 §6.5 and §6.7)."""
    return any("USER" in map(str.upper, capabilities.params(name)[1:]) for name in ("LOGIN-DELAY", "EXPIRE"))
