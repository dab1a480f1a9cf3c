"""Servers that list PIPELINING and do not support it: how this is detected, worked around and remembered."""

from __future__ import annotations

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.account import Server
from tui_popretr.journal.records import PipeliningFailure
from tui_popretr.journal.thread import JournalThread
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.wording import plural

DAY = 24 * 3600
#: Days for which a server gets one command at a time, after 1, 2, and 3 or more failures in a row. One failure may be
#: the network's.
BACKOFF_DAYS = (0, 1, 30)
#: How many failures one at the first commands sent together counts as: servers without support fail there.
FIRST_FAILURE_WEIGHT = 2
#: Logged when PIPELINING may have broken the connection.
RECONNECT_UNPIPELINED = (
    "it had several commands to answer, as it offers (PIPELINING): connecting once more, one command at a time"
)


def broke_by_pipelining(connection: Pop3Connection) -> bool:
    """Whether several commands in flight may be the cause of a broken connection.

    Servers without support ignore the commands after the first, close the connection, or send a wrong reply. In the
    middle of a message or listing this is not the cause, except in a message that only silence would have ended.
    """
    machine = connection.machine
    return machine.outstanding > 1 and (machine.passed_an_end or not machine.answering)


class PipeliningHistory:
    """The failures in the journal, shared by all sessions of a process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], PipeliningFailure] | None = None
        self._reading = trio.Lock()

    async def trusts(self, server: Server, journal: JournalThread, clock: Clock) -> bool:
        """Whether several commands are sent together to a server that lists PIPELINING. Raises JournalError."""
        async with self._reading:
            if self._known is None:
                rows = await journal.run(lambda journal: journal.pipelining_failures())
                self._known = {(row.host, row.port): row for row in rows}
        failure = self._known.get(_key(server))
        return failure is None or not _backing_off(failure, _now(clock))

    async def succeeded(self, server: Server, journal: JournalThread) -> None:
        """Record that a connection with pipelining succeeded. Raises JournalError."""
        if self._known and self._known.pop(_key(server), None) is not None:
            host, port = _key(server)
            await journal.run(lambda journal: journal.forget_pipelining_failure(host, port))

    async def failed(
        self, server: Server, journal: JournalThread, clock: Clock, *, since: float, at_first: bool
    ) -> int:
        """Record that a connection with pipelining broke, and that one without succeeded.

        The first began at `since` (epoch seconds); `at_first`: it broke at the first commands sent together. Returns
        the days for which the server now gets one command at a time. Raises JournalError.
        """
        assert self._known is not None  # the first connection asked
        before = self._known.get(_key(server))
        failures = 0 if before is None else before.failures
        # Failures of several clients at the same time count as one.
        if before is None or since >= before.time:
            failures += 1
        failure = PipeliningFailure(*_key(server), max(failures, FIRST_FAILURE_WEIGHT * at_first), _now(clock))
        self._known[_key(server)] = failure
        await journal.run(lambda journal: journal.note_pipelining_failure(failure))
        return _days(failure)


class Pipelining:
    """Whether a session sends several commands together, and what that shows about its server."""

    def __init__(
        self, server: Server, pipelining_history: PipeliningHistory, journal: JournalThread, clock: Clock
    ) -> None:
        self._server = server
        self._history = pipelining_history
        self._journal = journal
        self._clock = clock
        self._used = False  # on the current connection, or the last one
        self._since = 0.0  # when that connection began, epoch seconds
        self._suspected = self._at_first = False
        #: The failure key of the message at which pipelining may have failed: it is retrieved last.
        self.last: frozenset[str] = frozenset()

    async def begin(self, connection: Pop3Connection, capabilities: Capabilities | None) -> bool:
        """Return whether a new connection uses pipelining. Raises JournalError."""
        self._used = False
        if not self._suspected:
            self._since = _now(self._clock)
        if capabilities is not None and capabilities.pipelining and not self._suspected:
            self._used = await self._history.trusts(self._server, self._journal, self._clock)
            if not self._used:
                connection.event("One command at a time: this server could not do PIPELINING")
        return self._used

    def suspect_server(self, suspect: str | None, *, at_first: bool) -> None:
        """Suspect that pipelining broke the connection: the session does not use it again.

        `suspect`: the failure key of the message at which it broke. `at_first`: at the first commands sent together.
        """
        self._suspected, self._at_first = True, at_first
        self.last = frozenset() if suspect is None else frozenset({suspect})

    async def record_outcome(self) -> str | None:
        """Record that the last connection succeeded; return a warning about the server or None. Raises JournalError."""
        if self._used:
            await self._history.succeeded(self._server, self._journal)
        elif self._suspected:
            days = await self._history.failed(
                self._server, self._journal, self._clock, since=self._since, at_first=self._at_first
            )
            if days:
                return (
                    f"{self._server.address} offers PIPELINING and cannot do it: it gets one command at a time,"
                    f" which is slower, and is tried again in {plural(days, 'day')}"
                )
        return None


def _days(failure: PipeliningFailure) -> int:
    return BACKOFF_DAYS[min(failure.failures, len(BACKOFF_DAYS)) - 1]


def _backing_off(failure: PipeliningFailure, now: float) -> bool:
    """Whether pipelining is not tried yet; a clock that was set back ends this."""
    return abs(now - failure.time) < _days(failure) * DAY


def _key(server: Server) -> tuple[str, int]:
    return server.host.lower(), server.port


def _now(clock: Clock) -> float:
    return clock.now().timestamp()
