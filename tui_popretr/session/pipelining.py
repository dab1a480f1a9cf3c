"""Servers that offer PIPELINING and cannot do it: how that is noticed, got along with, and remembered."""

from __future__ import annotations

import trio

from tui_popretr.clock import Clock
from tui_popretr.commit.keeper import JournalKeeper
from tui_popretr.config.model import Server
from tui_popretr.journal.records import PipeliningFailure
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.wording import plural

DAY = 24 * 3600
#: Days that a server gets one command at a time after so many failures in a row. Networks break, too: what happened
#: once may have been no fault of the server's.
RESTS = (0, 1, 30)
#: A failure at the first commands that were sent together counts like so many: there a server that cannot do it fails.
AT_FIRST = 2
#: What is said where a server may have stumbled over it.
RECONNECT_UNPIPELINED = (
    "it had several commands to answer, as it offers (PIPELINING): connecting once more, one command at a time"
)


def broke_by_pipelining(connection: Pop3Connection) -> bool:
    """Whether, where a connection broke, the cause may be that the server had more than one command to answer.

    Servers that cannot do that forget what came behind the first, hang up, or answer something else. In the middle of a
    message or a listing that is not the cause; but for a message that only silence would have ended.
    """
    machine = connection.machine
    return machine.outstanding > 1 and (machine.passed_an_end or not machine.answering)


class PipeliningHistory:
    """Which servers could not do it: what the journal knows, for all sessions of a process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], PipeliningFailure] | None = None
        self._reading = trio.Lock()

    async def trusts(self, server: Server, keeper: JournalKeeper, clock: Clock) -> bool:
        """Whether a server that offers PIPELINING is sent several commands at once. Raises JournalError."""
        async with self._reading:
            if self._known is None:
                rows = await keeper.run(lambda journal: journal.pipelining_failures())
                self._known = {(row.host, row.port): row for row in rows}
        failure = self._known.get(_key(server))
        return failure is None or not _backing_off(failure, _now(clock))

    async def succeeded(self, server: Server, keeper: JournalKeeper) -> None:
        """A connection with pipelining went well to its end. Raises JournalError."""
        if self._known and self._known.pop(_key(server), None) is not None:
            host, port = _key(server)
            await keeper.run(lambda journal: journal.forget_pipelining_failure(host, port))

    async def failed(self, server: Server, keeper: JournalKeeper, clock: Clock, *, since: float, at_first: bool) -> int:
        """A connection with pipelining, begun at `since` (epoch seconds), broke, and one without went well to its end.

        `at_first`: at the first commands that were sent together. Returns for how many days the server gets one command
        at a time now. Raises JournalError.
        """
        assert self._known is not None  # the first connection asked
        before = self._known.get(_key(server))
        failures = 0 if before is None else before.failures
        # Several clients may have had to do with the server at the same time: that is one failure.
        if before is None or since >= before.time:
            failures += 1
        failure = PipeliningFailure(*_key(server), max(failures, AT_FIRST * at_first), _now(clock))
        self._known[_key(server)] = failure
        await keeper.run(lambda journal: journal.note_pipelining_failure(failure))
        return _days(failure)


class Pipelining:
    """Whether a session sends several commands at once, and what it learns of its server by that."""

    def __init__(
        self, server: Server, pipelining_history: PipeliningHistory, keeper: JournalKeeper, clock: Clock
    ) -> None:
        self._server = server
        self._history = pipelining_history
        self._keeper = keeper
        self._clock = clock
        self._used = False  # on the connection that there is, or was last
        self._since = 0.0  # when that was begun
        self._suspected = self._at_first = False
        #: The trouble key of the message at which the server may have stumbled over it: it is asked for last.
        self.last: frozenset[str] = frozenset()

    async def begin(self, connection: Pop3Connection, capabilities: Capabilities | None) -> bool:
        """Return whether a new connection does it. Raises JournalError."""
        self._used = False
        if not self._suspected:
            self._since = _now(self._clock)
        if capabilities is not None and capabilities.pipelining and not self._suspected:
            self._used = await self._history.trusts(self._server, self._keeper, self._clock)
            if not self._used:
                connection.event("One command at a time: this server could not do PIPELINING")
        return self._used

    def suspect_server(self, suspect: str | None, *, at_first: bool) -> None:
        """The server may have stumbled over it, at the message with this trouble key: no other connection does it.

        `at_first`: at the first commands that were sent together.
        """
        self._suspected, self._at_first = True, at_first
        self.last = frozenset() if suspect is None else frozenset({suspect})

    async def record_outcome(self) -> str | None:
        """A connection went well to its end: return what is to be said of the server now. Raises JournalError."""
        if self._used:
            await self._history.succeeded(self._server, self._keeper)
        elif self._suspected:
            days = await self._history.failed(
                self._server, self._keeper, self._clock, since=self._since, at_first=self._at_first
            )
            if days:
                return (
                    f"{self._server.address} offers PIPELINING and cannot do it: it gets one command at a time,"
                    f" which is slower, and is tried again in {plural(days, 'day')}"
                )
        return None


def _days(failure: PipeliningFailure) -> int:
    return RESTS[min(failure.failures, len(RESTS)) - 1]


def _backing_off(failure: PipeliningFailure, now: float) -> bool:
    """Whether a server is not to be tried yet; a clock that was put back ends that."""
    return abs(now - failure.time) < _days(failure) * DAY


def _key(server: Server) -> tuple[str, int]:
    return server.host.lower(), server.port


def _now(clock: Clock) -> float:
    return clock.now().timestamp()
