"""What servers have answered to CAPA: remembered in the journal, for the sessions that cannot or must not ask.

Three things follow from it. A server that has listed UTF8 is sent UTF8 even where CAPA is not answered, since without
it some servers send a notice in place of a message (RFC 6856 §2.1). A server at which CAPA broke the connection, and
which then let the client in without it, is not asked for a day; never one that has answered CAPA before, for there it
is the network, or an attacker in it. And AUTO takes no weaker mechanism than those that were listed before.
"""

from __future__ import annotations

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.model import AuthType, Server
from tui_popretr.engine.keeper import JournalKeeper
from tui_popretr.journal.records import CapaHistory
from tui_popretr.pop3 import Capabilities

DAY = 24 * 3600
#: Seconds after which a server that refuses both CAPA and UTF8 counts as replaced by one that has neither.
REPLACED = 30 * DAY

_KNOWN = frozenset(each.value.removeprefix("SASL_").replace("_", "-") for each in AuthType)


_Key = tuple[str, int]


class Answers:
    """What is known of all servers, for all sessions of a process. `known` is None before the journal was read."""

    def __init__(self) -> None:
        self.known: dict[_Key, CapaHistory] | None = None
        self.reading = trio.Lock()
        self.silent_later: set[_Key] = set()  # after the login they list no PIPELINING either


class CapaMemory:
    """Reads and writes what is known of servers. Without a keeper there is no journal."""

    def __init__(self, answers: Answers, keeper: JournalKeeper | None, clock: Clock) -> None:
        self._answers = answers
        self._keeper = keeper
        self._clock = clock

    async def of(self, server: Server) -> CapaHistory:
        """Return what is known of a server. Raises JournalError."""
        host, port = _key(server)
        return (await self._all()).get((host, port), CapaHistory(host, port, False, (), 0.0, 0.0))

    async def rests(self, server: Server) -> bool:
        """Whether a server is not to be asked yet; a clock that was put back ends that. Raises JournalError."""
        history = await self.of(server)
        return history.broke > 0 and abs(self._now() - history.broke) < DAY

    async def answered(self, server: Server, capabilities: Capabilities) -> None:
        """Remember an answer. Only what has changed is written, and the time once a day. Raises JournalError."""
        before, now = await self.of(server), self._now()
        mechanisms = tuple(each for each in capabilities.sasl if each.removesuffix("-PLUS") in _KNOWN)
        after = before._replace(utf8=capabilities.has("UTF8"), mechanisms=mechanisms, broke=0.0)
        if after != before or abs(now - before.time) >= DAY:
            await self._note(after._replace(time=now))

    async def broke(self, server: Server) -> None:
        """Remember that CAPA broke a connection, and that one without it logged in. Raises JournalError."""
        await self._note((await self.of(server))._replace(broke=self._now()))

    async def refused_utf8(self, server: Server) -> None:
        """The server refuses UTF8, and refuses CAPA, too. Raises JournalError."""
        history = await self.of(server)
        if history.utf8 and abs(self._now() - history.time) >= REPLACED:
            await self._note(history._replace(utf8=False))

    def says_more_later(self, server: Server) -> bool:
        """Whether a server without PIPELINING before the login may have it after that."""
        return _key(server) not in self._answers.silent_later

    def said_no_more(self, server: Server) -> None:
        """A server without PIPELINING before the login had none after it."""
        self._answers.silent_later.add(_key(server))

    async def _all(self) -> dict[_Key, CapaHistory]:
        answers = self._answers
        async with answers.reading:
            if answers.known is None:
                rows = await self._keeper.run(lambda journal: journal.capa_histories()) if self._keeper else []
                answers.known = {(row.host, row.port): row for row in rows}
        return answers.known

    async def _note(self, history: CapaHistory) -> None:
        histories = await self._all()
        histories[history.host, history.port] = history  # first, so that the other sessions do not write it too
        if self._keeper is not None:
            await self._keeper.run(lambda journal: journal.note_capa(history))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _key(server: Server) -> _Key:
    return server.host.lower(), server.port
