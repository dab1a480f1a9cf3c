"""What the journal remembers of sessions and deliveries: written as they end, and read for dashboards and statistics.

None of it is part of the promise: it is written without fsync, and an error of the journal is reported by sessions.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, date, datetime, time, timedelta

import trio

from tui_popretr.answers import Statistics, Tally
from tui_popretr.bus import Bus
from tui_popretr.clock import Clock, local_time
from tui_popretr.config.values import is_unicode
from tui_popretr.engine.standings import Standings
from tui_popretr.errors import JournalError
from tui_popretr.facts import (
    DeliveriesRead,
    Fact,
    HistoryRead,
    MessageDelivered,
    PastSession,
    SessionId,
    SessionResult,
)
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import DeliveryRow, SessionRow, TallyRow
from tui_popretr.journal.thread import CLOSE_TIMEOUT, JournalThread
from tui_popretr.journal.totals import KEPT_DAYS, KEPT_DELIVERIES, KEPT_HOURS
from tui_popretr.text import visible

#: Seconds between two writes to the journal, at least: a fleet's sessions share one.
INTERVAL = 0.05
#: Deliveries in one fact: it has to fit into a line of the control socket.
_AT_ONCE = 16
_EPOCH = date(1970, 1, 1)


class History:
    """Writes and reads past sessions, deliveries and totals. A subscriber to the engine's facts."""

    def __init__(self, bus: Bus, clock: Clock, standings: Standings) -> None:
        self._bus = bus
        self._clock = clock
        self._standings = standings
        self._sessions: list[SessionRow] = []  # not yet written
        self._deliveries: deque[DeliveryRow] = deque(maxlen=KEPT_DELIVERIES)

    def __call__(self, fact: Fact) -> None:
        if isinstance(fact, MessageDelivered):
            self._deliveries.append(_delivery_row(fact))

    def session_closed(self, client: str, result: SessionResult) -> None:
        """Take a session that has ended; write() writes it soon."""
        self._sessions.append(
            SessionRow(
                client=client,
                start=int(result.started.timestamp()),
                end=int(result.ended.timestamp()),
                code=result.code,
                messages=result.messages,
                octets=result.octets,
                error=visible(result.error),
                seconds=max(0.0, (result.ended - result.started).total_seconds()),
            )
        )
        self._standings.changed.set()

    # --- writing ------------------------------------------------------------------------------------------------------

    async def write(self, journal: JournalThread) -> None:
        """Write what has changed, until cancelled."""
        while True:
            await self._standings.changed.wait()
            await self.save(journal)
            await trio.sleep(INTERVAL)

    async def save(self, journal: JournalThread) -> None:
        """Write what has changed."""
        rows, self._sessions = self._sessions, []
        deliveries = list(self._deliveries)
        self._deliveries.clear()
        standings, hooks = self._standings.changes()

        def record(journal: Journal) -> None:
            if rows:
                journal.record_sessions(rows)
                journal.record_totals(rows)
            if standings:
                journal.record_standings(standings)
            if hooks:
                journal.record_hook_times(hooks)
            if deliveries:
                journal.record_deliveries(deliveries)

        if rows or standings or hooks or deliveries:
            try:
                with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
                    # Nothing is deleted because of it, so a fsync for each session would be too much.
                    await journal.run(record, durable=False)
            except JournalError:
                pass  # not essential; sessions report errors of the journal

    # --- reading ------------------------------------------------------------------------------------------------------

    async def publish(self, journal: JournalThread, sessions: int) -> None:
        """Publish the latest sessions, and the deliveries that are kept."""
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            past, today, deliveries = await journal.run(
                lambda journal: (
                    journal.recent_sessions(sessions),
                    journal.totals(int(midnight.timestamp())),
                    journal.recent_deliveries(),
                )
            )
        except JournalError:
            return  # not essential; sessions report errors of the journal
        self._bus.publish(HistoryRead(tuple(_past(row) for row in past), today.messages, today.octets))
        for end in range(len(deliveries), 0, -_AT_ONCE):
            some = deliveries[max(0, end - _AT_ONCE) : end]
            self._bus.publish(DeliveriesRead(tuple(_delivered(row) for row in some)))

    async def of_client(self, journal: JournalThread, client: str, limit: int) -> list[PastSession]:
        """Return a client's latest sessions, oldest first. Raises ValueError if they cannot be read."""
        if not is_unicode(client):
            raise ValueError(f"there is no client '{client}'")
        await self.save(journal)
        try:
            rows = await journal.run(lambda journal: journal.recent_sessions(limit, client))
        except JournalError as problem:
            raise ValueError(str(problem)) from None
        return [_past(row) for row in rows]

    async def statistics(self, journal: JournalThread, client: str | None) -> Statistics:
        """Return the totals of a client, of all with None. Raises ValueError if they cannot be read."""
        if client is not None and not is_unicode(client):
            raise ValueError(f"there is no client '{client}'")
        await self.save(journal)
        now = self._clock.now()
        seconds, today = int(now.timestamp()), (now.date() - _EPOCH).days
        hours, days = seconds - KEPT_HOURS, today - KEPT_DAYS
        try:
            hourly, daily, figures = await journal.run(
                lambda journal: (
                    journal.tallies(daily=False, since=hours, client=client),
                    journal.tallies(daily=True, since=days, client=client),
                    journal.figures(client),
                )
            )
        except JournalError as problem:
            raise ValueError(str(problem)) from None
        return Statistics(
            client,
            # A clock that was wrong for a while may have left some in the future.
            tuple(Tally(_local(row.begin), *row[1:]) for row in hourly if row.begin <= seconds),
            tuple(Tally(_midnight(row), *row[1:]) for row in daily if row.begin <= today),
            figures.duration,
            figures.rate,
        )


def _delivery_row(fact: MessageDelivered) -> DeliveryRow:
    return DeliveryRow(
        fact.session.client,
        fact.session.run,
        fact.at.timestamp(),
        fact.number,
        None if fact.uid is None else visible(fact.uid),
        fact.octets,
        visible(fact.destination, 8192),
        fact.path if fact.path is None or is_unicode(fact.path) else None,
        fact.message_id,
        fact.sender,
        fact.name,
        fact.subject,
    )


def _delivered(row: DeliveryRow) -> MessageDelivered:
    return MessageDelivered(SessionId(row.client, row.run), _local(row.time), *row[3:])


def _past(row: SessionRow) -> PastSession:
    return PastSession(row.client, _local(row.start), _local(row.end), row.code, row.messages, row.octets, row.error)


def _local(seconds: float) -> datetime:
    return local_time(datetime.fromtimestamp(seconds, UTC))


def _midnight(row: TallyRow) -> datetime:
    """Return when a day began."""
    return local_time(datetime.combine(_EPOCH + timedelta(days=row.begin), time()))
