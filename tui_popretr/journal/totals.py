"""The journal's sums for statistics, and the latest deliveries. No part of the promise: some may be missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from tui_popretr.errors import ExitCode
from tui_popretr.journal.history import JournalHistory
from tui_popretr.journal.records import DeliveryRow, SessionFigures, SessionRow, TallyRow

#: Deliveries that are kept, of all clients together.
KEPT_DELIVERIES: Final = 2000
#: Seconds and days for which sums are kept.
KEPT_HOURS: Final = 48 * 3600
KEPT_DAYS: Final = 731
#: Sessions of all clients together of which medians are taken.
_MEASURED: Final = 10_000
_DAY: Final = 24 * 3600
_ADD: Final = """
INSERT INTO tally VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6) ON CONFLICT (client, daily, begin) DO UPDATE
SET sessions = sessions + 1, failures = failures + ?4, messages = messages + ?5, octets = octets + ?6"""
_SUMS: Final = (
    "SELECT begin, sessions, failures, messages, octets FROM tally"
    " WHERE client = ? AND daily = ? AND begin >= ? ORDER BY begin"
)
#: The client that has the sums of all.
_ALL: Final = ""
#: The beginning of the hour (?1 = 0) or day (?1 = 1) that has ?2 later ones with a session. The clock is not asked: if
#: it is years ahead for a while, nothing is lost.
_OLDEST: Final = (
    "SELECT begin FROM tally WHERE client = '' AND daily = ?1 ORDER BY begin DESC LIMIT 1 OFFSET ?2"  # of _ALL
)
_DELIVERY: Final = (
    "client, run, time, number, uid, octets, destination, path, message_id, sender, name, subject"  # of DeliveryRow
)


class JournalTotals(JournalHistory):
    """The part of Journal with sums and deliveries."""

    _pruned = False

    # --- sums ---------------------------------------------------------------------------------------------------------

    def record_totals(self, rows: Sequence[SessionRow]) -> None:
        """Add past sessions to the sums of the hour and the day of local time in which they ended."""
        sums = []
        for row in rows:
            local = row.end + time.localtime(row.end).tm_gmtoff
            values = row.code is not ExitCode.OK, row.messages, row.octets
            for client in (row.client, _ALL):
                sums += [(client, 0, row.end - local % 3600, *values), (client, 1, local // _DAY, *values)]
        with self._writing() as connection:
            connection.executemany(_ADD, sums)
            for daily, kept in ((0, KEPT_HOURS // 3600), (1, KEPT_DAYS)):
                oldest = connection.execute(_OLDEST, (daily, kept)).fetchone()
                if oldest is None:
                    continue
                if self._pruned:
                    clients = {row.client for row in rows} | {_ALL}
                    connection.executemany(
                        "DELETE FROM tally WHERE client = ? AND daily = ? AND begin < ?",
                        [(client, daily, *oldest) for client in clients],
                    )
                else:  # once, also those of clients that are gone
                    connection.execute("DELETE FROM tally WHERE daily = ? AND begin < ?", (daily, *oldest))
            self._pruned = True

    def tallies(self, *, daily: bool, since: int, client: str | None = None) -> list[TallyRow]:
        """Return the sums of a client, of all with None, that began at or after `since`, oldest first.

        `since` and TallyRow.begin: with `daily` the number of a day, else epoch seconds.
        """
        with self._reading():
            rows = self._connection.execute(_SUMS, (client or _ALL, int(daily), since))
            return [TallyRow(*row) for row in rows]

    def figures(self, client: str | None = None) -> SessionFigures:
        """Return the medians of a client's kept sessions, of the latest of all clients with None."""
        columns = "SELECT seconds, messages, octets FROM session"
        of = "code = 0 AND error = '' AND seconds IS NOT NULL"
        with self._reading():
            if client is None:
                rows = self._connection.execute(
                    f"{columns} WHERE {of} ORDER BY id DESC LIMIT ?",
                    (_MEASURED,),
                ).fetchall()
            else:
                rows = self._connection.execute(f"{columns} WHERE client = ? AND {of}", (client,)).fetchall()
        rates = [octets / seconds for seconds, messages, octets in rows if messages and seconds > 0]
        return SessionFigures(
            median(row[0] for row in rows) if rows else None,
            median(rates) if rates else None,
        )

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def record_deliveries(self, rows: Iterable[DeliveryRow]) -> None:
        """Add deliveries, oldest first. The last KEPT_DELIVERIES are kept."""
        with self._writing() as connection:
            connection.executemany(f"INSERT INTO delivery ({_DELIVERY}) VALUES ({','.join('?' * 12)})", rows)  # noqa: S608
            connection.execute(
                "DELETE FROM delivery WHERE id <= (SELECT max(id) FROM delivery) - ?", (KEPT_DELIVERIES,)
            )

    def recent_deliveries(self) -> list[DeliveryRow]:
        """Return the deliveries that are kept, oldest first."""
        with self._reading():
            rows = self._connection.execute(f"SELECT {_DELIVERY} FROM delivery ORDER BY id")  # noqa: S608 constants
            return [DeliveryRow(*row) for row in rows]
