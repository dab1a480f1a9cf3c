"""The history of a server's replies to CAPA, in the journal, for sessions in which CAPA is not sent or fails.

It has three uses:

- UTF8 is sent to a server that has listed it before, because without UTF8 some servers send a notice instead of a
  message (RFC 6856 §2.1).
- If CAPA broke the connection and the next connection logged in without it, CAPA is not sent again for a day. But CAPA
  is always sent to a server that has answered it before, because then the network or an attacker broke the connection.
- AUTO uses no weaker mechanism than those listed before.
"""

from __future__ import annotations

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType
from tui_popretr.journal.records import CapaHistory
from tui_popretr.journal.thread import JournalThread
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.auto import mechanism

DAY = 24 * 3600
#: Seconds after which a server that refuses both CAPA and UTF8 counts as replaced by one that has neither.
REPLACED = 30 * DAY

_KNOWN = frozenset(map(mechanism, AuthType))

_Key = tuple[str, int]


class CapaHistories:
    """The histories of all servers, shared by all sessions of a process. `known` is None until the journal was read."""

    def __init__(self) -> None:
        self.known: dict[_Key, CapaHistory] | None = None
        self.reading = trio.Lock()
        self.useless_second_capa: set[_Key] = set()  # servers that do not list PIPELINING after the login either
        self.breaking_second_capa: set[_Key] = set()  # CAPA after the login breaks the connection


class CapaMemory:
    """Reads and writes the histories of servers. Without a journal they are kept in memory only."""

    def __init__(self, capa_histories: CapaHistories, journal: JournalThread | None, clock: Clock) -> None:
        self._histories = capa_histories
        self._journal = journal
        self._clock = clock

    async def of(self, server: Server) -> CapaHistory:
        """Return the history of a server. Raises JournalError."""
        host, port = _key(server)
        return (await self._all()).get((host, port), CapaHistory(host, port, False, (), 0.0, 0.0))

    async def backing_off(self, server: Server) -> bool:
        """Whether CAPA is not sent to a server for now; a clock that was set back ends this. Raises JournalError."""
        history = await self.of(server)
        return history.broke > 0 and abs(self._now() - history.broke) < DAY

    async def answered(self, server: Server, capabilities: Capabilities) -> None:
        """Record a reply. Changes are written at once, the time only once a day. Raises JournalError."""
        before, now = await self.of(server), self._now()
        mechanisms = tuple(each for each in capabilities.sasl if each.removesuffix("-PLUS") in _KNOWN)
        after = before._replace(utf8=capabilities.has("UTF8"), mechanisms=mechanisms, broke=0.0)
        if after != before or abs(now - before.time) >= DAY:
            await self._note(after._replace(time=now))

    async def broke(self, server: Server) -> None:
        """Record that CAPA broke a connection, and that one without CAPA logged in. Raises JournalError."""
        await self._note((await self.of(server))._replace(broke=self._now()))

    async def refused_utf8(self, server: Server) -> None:
        """Record that the server refuses both UTF8 and CAPA. Raises JournalError."""
        history = await self.of(server)
        if history.utf8 and abs(self._now() - history.time) >= REPLACED:
            await self._note(history._replace(utf8=False))

    def second_capa_allowed(self, server: Server) -> bool:
        """Whether CAPA may be sent to a server after the login."""
        return _key(server) not in self._histories.breaking_second_capa

    def broke_at_second_capa(self, server: Server) -> None:
        """Record that CAPA after the login broke the connection."""
        self._histories.breaking_second_capa.add(_key(server))

    def second_capa_useful(self, server: Server) -> bool:
        """Whether a server that lists no PIPELINING before the login may list it after the login."""
        return _key(server) not in self._histories.useless_second_capa

    def record_useless_second_capa(self, server: Server) -> None:
        """Record that a server listed no PIPELINING after the login either."""
        self._histories.useless_second_capa.add(_key(server))

    async def _all(self) -> dict[_Key, CapaHistory]:
        capa_histories = self._histories
        async with capa_histories.reading:
            if capa_histories.known is None:
                rows = await self._journal.run(lambda journal: journal.capa_histories()) if self._journal else []
                capa_histories.known = {(row.host, row.port): row for row in rows}
        return capa_histories.known

    async def _note(self, history: CapaHistory) -> None:
        histories = await self._all()
        histories[history.host, history.port] = history  # first, so that other sessions do not write it too
        if self._journal is not None:
            await self._journal.run(lambda journal: journal.note_capa(history))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _key(server: Server) -> _Key:
    return server.host.lower(), server.port
