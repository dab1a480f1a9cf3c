"""Opening a maildrop: from connecting to the login, with CAPA and UTF8.

The order: greeting, STLS if TLS is latent, CAPA, UTF8, login. CAPA comes before the login, because UTF8 (RFC 6856
§2.1) and the choice of a mechanism depend on it, and after TLS has begun. Servers may list more after the login. CAPA
is sent again only if they announce that (LOGIN-DELAY or EXPIRE with USER, RFC 2449 §6.5 and §6.7), or if PIPELINING was
missing and there are enough messages for it to pay off.

Some servers close the connection at CAPA, or never answer it. Then a second connection is made, without CAPA and
otherwise the same: with TLS if that is configured. capa.py says what is remembered of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from tui_popretr.config.model import CapaUse
from tui_popretr.errors import ConnectionCut, PopretrError, ProtocolViolation, ServerStalled
from tui_popretr.facts import Level, LoginSucceeded, Noted, SessionAdvanced, Stage
from tui_popretr.pop3 import Capabilities, Greeting
from tui_popretr.session.capa import CapaMemory
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.login import LoginOptions, log_in
from tui_popretr.session.pipelining import Pipelining
from tui_popretr.session.setup import ConnectionSetup
from tui_popretr.text import visible

#: Seconds for the answer to CAPA.
CAPA_PATIENCE: Final = 30.0
#: With at least this many messages a second CAPA pays off, if the first had no PIPELINING.
WORTH_ASKING: Final = 8
#: The advice if a server breaks the protocol after the login.
AFTER_LOGIN: Final = "it is tried again at the next run; the transcript shows what the server said"

_Then = Callable[[Pop3Connection, Greeting], Awaitable[None]]
_BREAKS = (ConnectionCut, ServerStalled, ProtocolViolation)


class _CapaBrokeError(Exception):
    """The connection broke at CAPA."""

    def __init__(self, problem: PopretrError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Opening:
    """Opens a client's maildrop over one connection, or over a second if CAPA broke the first."""

    def __init__(self, entry: ConnectionSetup, memory: CapaMemory, pipelining: Pipelining | None = None) -> None:
        """Without `pipelining`, commands are sent one at a time."""
        self._entry = entry
        self._memory = memory
        self._manners = pipelining
        self._never = entry.client.capa is CapaUse.NEVER
        self._asked = False  # CAPA, on this connection
        #: The current connection; close() closes it.
        self.wire: Pop3Connection | None = None
        #: The server's capabilities; None if CAPA was not sent or was refused.
        self.capabilities: Capabilities | None = None
        #: Whether several commands are sent at once.
        self.pipelining = False
        #: Whether the server sends messages in UTF-8 mode (RFC 6856 §2.1).
        self.utf8 = False
        #: Why nothing may be deleted: a server that has listed UTF8 refused it. "" if that did not happen.
        self.doubtful = ""
        #: Whether the connection broke while more than one command of the login was unanswered.
        self.broke_by_pipelining = False
        #: Whether the connection broke at CAPA after the login: the next one does not ask for it there.
        self.broke_later = False

    def close(self) -> None:
        """Close the connection at once."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()

    async def enter(self) -> Pop3Connection:
        """Connect and log in. Raises PopretrError if that fails."""
        return await self._with_or_without_capa(self._log_in)

    async def look(self) -> Greeting:
        """Connect, up to the step before the login; return the greeting."""
        greeting: list[Greeting] = []

        async def look(_: Pop3Connection, seen: Greeting) -> None:
            greeting.append(seen)

        await self._with_or_without_capa(look)
        return greeting[-1]

    # --- with CAPA, or without ----------------------------------------------------------------------------------------

    async def _with_or_without_capa(self, then: _Then) -> Pop3Connection:
        server = self._entry.client.server
        ask = not self._never and not await self._memory.rests(server)
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
        wire = await self._once(then, ask=False)
        if then == self._log_in:
            await self._memory.broke(server)
            self._warn(
                f"{server.address} cannot handle CAPA: it is not sent again for a day."
                ' capa="never" in the client switches it off'
            )
        return wire

    async def _once(self, then: _Then, *, ask: bool) -> Pop3Connection:
        entry, client = self._entry, self._entry.client
        self._asked, self.capabilities = ask, None
        self.wire = wire = await entry.connect()
        greeting = await entry.greet(wire)
        latent = client.server.tls is not None and client.server.tls.latent
        if ask and latent and client.capa is CapaUse.STLS:
            await self._capa(wire)
        await entry.secure(wire)
        entry.bus.publish(SessionAdvanced(entry.session, Stage.LOGIN))
        if ask:
            self.capabilities = await self._capa(wire)
            if self.capabilities is not None:
                await self._memory.answered(client.server, self.capabilities)
        elif not self._never:
            wire.event("CAPA is not sent: the connection to this server broke at CAPA before")
        await then(wire, greeting)
        return wire

    async def _capa(self, wire: Pop3Connection) -> Capabilities | None:
        try:
            with trio.move_on_after(CAPA_PATIENCE):
                return await self._entry.capabilities(wire)
            raise ServerStalled(f"the server has not answered CAPA within {CAPA_PATIENCE:g} s")
        except _BREAKS as problem:
            if not wire.machine.outstanding:  # it broke before CAPA was sent
                raise
            raise _CapaBrokeError(problem) from problem

    async def _capa_later(self, wire: Pop3Connection) -> Capabilities | None:
        """Ask for CAPA after the login. Where that breaks the connection, this process asks that server no more."""
        try:
            return await self._capa(wire)
        except _CapaBrokeError as broke:
            self._memory.broke_later(self._entry.client.server)
            self.broke_later = True
            raise broke.problem from broke

    # --- the login ----------------------------------------------------------------------------------------------------

    async def _log_in(self, wire: Pop3Connection, greeting: Greeting) -> None:
        entry, server = self._entry, self._entry.client.server
        history = await self._memory.of(server)
        self.pipelining = await self._begin(wire)
        listed = self.capabilities is not None and self.capabilities.has("UTF8")
        options = LoginOptions(
            greeting.stamp,
            together=self.pipelining,
            utf8=listed or (self.capabilities is None and history.utf8),
            remembered=history.mechanisms if self.capabilities is None else (),
        )
        try:
            mechanism = await log_in(wire, server, options)
        except _BREAKS:
            self.broke_by_pipelining = wire.sent_together > 1 and wire.machine.outstanding > 0
            raise
        entry.bus.publish(LoginSucceeded(entry.session, mechanism))
        await self._conclude_utf8(options)
        asks_later = self._memory.answers_later(server)
        if self.capabilities is not None and asks_later and _differs_later(self.capabilities):
            self.capabilities = await self._capa_later(wire) or self.capabilities

    async def _conclude_utf8(self, options: LoginOptions) -> None:
        answer = options.utf8_answer
        self.utf8 = answer is not None and answer.ok
        self.doubtful = ""
        if answer is None or answer.ok:
            return
        server = self._entry.client.server
        self.doubtful = (
            f"the server has listed UTF8 and refuses it now ({visible(answer.text, 200) or 'without a reason'})"
        )
        if self._never:
            self.doubtful += ': remove capa="never" for one run, so that CAPA shows whether the server still has it'
        elif self.capabilities is None and self._asked:
            await self._memory.refused_utf8(server)

    async def _begin(self, wire: Pop3Connection) -> bool:
        if self._manners is None or not self._entry.client.pipelining:
            return False
        # Replies that follow at once would hide the silence that ends the messages of such a server.
        return await self._manners.begin(wire, None if wire.machine.bare_lines else self.capabilities)

    async def counted(self, messages: int) -> bool:
        """Return, when the number of messages is known, whether several commands are sent at once from here on."""
        wire, server = self.wire, self._entry.client.server
        assert wire is not None
        if (
            not self._asked
            or self._manners is None
            or not self._entry.client.pipelining
            or messages < WORTH_ASKING
            or (self.capabilities is not None and self.capabilities.pipelining)
            or not (self._memory.answers_later(server) and self._memory.says_more_later(server))
        ):
            return self.pipelining
        later = await self._capa_later(wire)
        if later is None or not later.pipelining:
            self._memory.said_no_more(server)
        if later is not None:
            self.capabilities = later
            self.pipelining = await self._begin(wire)
        return self.pipelining

    def _warn(self, text: str) -> None:
        entry = self._entry
        entry.bus.publish(Noted(entry.clock.now(), Level.WARNING, entry.session.client, text))


def _differs_later(capabilities: Capabilities) -> bool:
    """Whether the server announces that a limit may differ for this user (RFC 2449 §6.5 and §6.7)."""
    return any("USER" in map(str.upper, capabilities.params(name)[1:]) for name in ("LOGIN-DELAY", "EXPIRE"))
