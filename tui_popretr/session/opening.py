"""Opening a maildrop: connect, TLS, CAPA, UTF8, login.

The order is: greeting, STLS if TLS is latent, CAPA, UTF8, login. CAPA comes before the login, because UTF8 (RFC 6856
§2.1) and the choice of a mechanism depend on it, and after TLS has begun. Servers may list more after the login. CAPA
is sent again only if they announce that (LOGIN-DELAY or EXPIRE with USER, RFC 2449 §6.5 and §6.7), or if PIPELINING was
missing and there are enough messages for it to pay off.

Some servers close the connection at CAPA, or never answer it. Then a second connection is made without CAPA, and
otherwise in the same way, with TLS if that is configured. capa.py says what is remembered of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from tui_popretr.config.choices import CapaUse
from tui_popretr.errors import RETRIED, ConnectionCut, PopretrError, ProtocolViolation, ServerStalled
from tui_popretr.facts import Level, LoginSucceeded, Noted, SessionAdvanced, Stage
from tui_popretr.pop3 import Capabilities, Greeting
from tui_popretr.session.capa import CapaMemory
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in
from tui_popretr.session.pipelining import Pipelining
from tui_popretr.session.setup import ConnectionSetup
from tui_popretr.text import visible

#: Seconds for the answer to CAPA.
CAPA_TIMEOUT: Final = 30.0
#: With at least this many messages a second CAPA pays off, if the first had no PIPELINING.
WORTH_ASKING: Final = 8
#: The advice if a server breaks the protocol after the login.
AFTER_LOGIN: Final = f"{RETRIED}; the transcript shows what the server said"

_Then = Callable[[Pop3Connection, Greeting], Awaitable[None]]
_BREAKS = (ConnectionCut, ServerStalled, ProtocolViolation)


class _CapaBrokeError(Exception):
    """The connection broke at CAPA."""

    def __init__(self, problem: PopretrError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Opening:
    """Opens a client's maildrop over one connection, or over a second if CAPA broke the first."""

    def __init__(self, setup: ConnectionSetup, memory: CapaMemory, pipelining: Pipelining | None = None) -> None:
        """Without `pipelining`, commands are sent one at a time."""
        self._setup = setup
        self._memory = memory
        self._pipelining = pipelining
        self._never = setup.client.capa is CapaUse.NEVER
        self._asked = False  # whether CAPA was sent on this connection
        #: The current connection; close() closes it.
        self.connection: Pop3Connection | None = None
        #: The server's capabilities; None if CAPA was not sent or was refused.
        self.capabilities: Capabilities | None = None
        #: Whether several commands are sent together.
        self.pipelined = False
        #: Whether the server sends messages in UTF-8 mode (RFC 6856 §2.1).
        self.utf8 = False
        #: Why nothing may be deleted: the server has listed UTF8 before and refuses it now. "" otherwise.
        self.no_deletion_reason = ""
        #: Whether the connection broke while more than one command of the login was unanswered.
        self.broke_by_pipelining = False
        #: Whether the connection broke at CAPA after the login. The next connection does not send it there.
        self.broke_at_second_capa = False

    def close(self) -> None:
        """Close the connection at once."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    async def log_in(self) -> Pop3Connection:
        """Connect and log in. Raises PopretrError if that fails."""
        return await self._with_or_without_capa(self._finish_login)

    async def until_login(self) -> Greeting:
        """Do all steps before the login; return the greeting."""
        greeting: list[Greeting] = []

        async def keep(_: Pop3Connection, seen: Greeting) -> None:
            greeting.append(seen)

        await self._with_or_without_capa(keep)
        return greeting[-1]

    # --- with CAPA, or without ----------------------------------------------------------------------------------------

    async def _with_or_without_capa(self, then: _Then) -> Pop3Connection:
        server = self._setup.client.server
        ask = not self._never and not await self._memory.backing_off(server)
        try:
            return await self._once(then, ask=ask)
        except _CapaBrokeError as broke:
            problem = broke.problem
        if (await self._memory.of(server)).time:
            problem.advice = (
                "the server has answered CAPA before, so CAPA is sent again at the next run. If the server was replaced"
                ' and the error persists, set capa="never" in the client'
            )
            raise problem
        self._warn(f"{problem}; connecting once more without CAPA")
        self.close()
        connection = await self._once(then, ask=False)
        if then == self._finish_login:
            await self._memory.broke(server)
            self._warn(
                f"{server.address} cannot handle CAPA: it is not sent again for a day."
                ' capa="never" in the client switches it off'
            )
        return connection

    async def _once(self, then: _Then, *, ask: bool) -> Pop3Connection:
        setup, client = self._setup, self._setup.client
        self._asked, self.capabilities = ask, None
        self.connection = connection = await setup.connect()
        greeting = await setup.greet(connection)
        latent = client.server.tls is not None and client.server.tls.latent
        if ask and latent and client.capa is CapaUse.STLS:
            await self._capa(connection)
        await setup.secure(connection)
        setup.bus.publish(SessionAdvanced(setup.session, Stage.LOGIN))
        if ask:
            self.capabilities = await self._capa(connection)
            if self.capabilities is not None:
                await self._memory.answered(client.server, self.capabilities)
        elif not self._never:
            connection.event("CAPA is not sent: the connection to this server broke at CAPA before")
        await then(connection, greeting)
        return connection

    async def _capa(self, connection: Pop3Connection) -> Capabilities | None:
        try:
            with trio.move_on_after(CAPA_TIMEOUT):
                return await self._setup.capabilities(connection)
            raise ServerStalled(f"the server has not answered CAPA within {CAPA_TIMEOUT:g} s")
        except _BREAKS as problem:
            if not connection.machine.outstanding:  # it broke before CAPA was sent
                raise
            raise _CapaBrokeError(problem) from problem

    async def _second_capa(self, connection: Pop3Connection) -> Capabilities | None:
        """Send CAPA after the login. If that breaks the connection, this process does not send it there again."""
        try:
            return await self._capa(connection)
        except _CapaBrokeError as broke:
            self._memory.broke_at_second_capa(self._setup.client.server)
            self.broke_at_second_capa = True
            raise broke.problem from broke

    # --- the login ----------------------------------------------------------------------------------------------------

    async def _finish_login(self, connection: Pop3Connection, greeting: Greeting) -> None:
        setup, server = self._setup, self._setup.client.server
        history = await self._memory.of(server)
        self.pipelined = await self._begin(connection)
        listed = self.capabilities is not None and self.capabilities.has("UTF8")
        options = LoginOptions(
            greeting.stamp,
            together=self.pipelined,
            utf8=listed or (self.capabilities is None and history.utf8),
            remembered=history.mechanisms if self.capabilities is None else (),
            services=setup.services,
        )
        try:
            mechanism = await log_in(connection, server, options)
        except _BREAKS:
            self.broke_by_pipelining = connection.sent_together > 1 and connection.machine.outstanding > 0
            raise
        setup.bus.publish(LoginSucceeded(setup.session, mechanism))
        await self._evaluate_utf8_reply(options)
        asks_later = self._memory.second_capa_allowed(server)
        if self.capabilities is not None and asks_later and _announces_changes(self.capabilities):
            self.capabilities = await self._second_capa(connection) or self.capabilities

    async def _evaluate_utf8_reply(self, options: LoginOptions) -> None:
        answer = options.utf8_answer
        self.utf8 = answer is not None and answer.ok
        self.no_deletion_reason = ""
        if answer is None or answer.ok:
            return
        server = self._setup.client.server
        self.no_deletion_reason = (
            f"the server has listed UTF8 and refuses it now ({visible(answer.text, 200) or 'without a reason'})"
        )
        if self._never:
            self.no_deletion_reason += (
                ': remove capa="never" for one run, so that CAPA shows whether the server still has it'
            )
        elif self.capabilities is None and self._asked:
            await self._memory.refused_utf8(server)

    async def _begin(self, connection: Pop3Connection) -> bool:
        if self._pipelining is None or not self._setup.client.pipelining:
            return False
        # The messages of such a server end with silence, which further replies would hide.
        return await self._pipelining.begin(connection, None if connection.machine.bare_lines else self.capabilities)

    async def counted(self, messages: int) -> bool:
        """Return whether several commands are sent together from now on, given the number of messages."""
        connection, server = self.connection, self._setup.client.server
        assert connection is not None
        if (
            not self._asked
            or self._pipelining is None
            or not self._setup.client.pipelining
            or messages < WORTH_ASKING
            or (self.capabilities is not None and self.capabilities.pipelining)
            or not (self._memory.second_capa_allowed(server) and self._memory.second_capa_useful(server))
        ):
            return self.pipelined
        later = await self._second_capa(connection)
        if later is None or not later.pipelining:
            self._memory.second_capa_useless(server)
        if later is not None:
            self.capabilities = later
            self.pipelined = await self._begin(connection)
        return self.pipelined

    def _warn(self, text: str) -> None:
        setup = self._setup
        setup.bus.publish(Noted(setup.clock.now(), Level.WARNING, setup.session.client, text))


def _announces_changes(capabilities: Capabilities) -> bool:
    """Whether the server announces that a limit may differ for this user (RFC 2449 §6.5 and §6.7)."""
    return any("USER" in map(str.upper, capabilities.params(name)[1:]) for name in ("LOGIN-DELAY", "EXPIRE"))
