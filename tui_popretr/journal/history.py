"""The journal's histories: failures of messages, failed features of servers, past sessions, standings, hooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tui_popretr.errors import ExitCode
from tui_popretr.journal.connection import JournalConnection
from tui_popretr.journal.records import (
    CapaHistory,
    HookTime,
    MailTotals,
    MessageFailure,
    PipeliningFailure,
    SessionRow,
    StandingRow,
)

#: Sessions of each client that are kept.
KEPT_SESSIONS: Final = 1000
_COLUMNS: Final = "client, start, end, code, messages, octets, error, seconds"
_SESSIONS: Final = f"SELECT {_COLUMNS} FROM session ORDER BY id DESC LIMIT ?"  # noqa: S608 constants
_SESSIONS_OF_CLIENT: Final = f"SELECT {_COLUMNS} FROM session WHERE client = ? ORDER BY id DESC LIMIT ?"  # noqa: S608

_COUNT_FAILURE = """
INSERT INTO trouble VALUES (?1, ?2, ?3, 1, ?5, ?6, ?4) ON CONFLICT (maildrop, key) DO UPDATE
SET octets = ?3, failures = failures + 1, rejections = rejections + ?5, last = ?6, reason = ?4"""


class JournalHistory(JournalConnection):
    """The part of Journal without records of messages."""

    # --- failures of messages -----------------------------------------------------------------------------------------

    def count_failures(self, maildrop: int, failures: Iterable[tuple[str, int, str, bool]], now: int) -> None:
        """Count a failure against each (key, octets, reason, rejected), in one transaction. `now` is epoch seconds."""
        with self._writing() as connection:
            connection.executemany(_COUNT_FAILURE, [(maildrop, *failure, now) for failure in failures])

    def failures(self, maildrop: int) -> dict[str, MessageFailure]:
        """Return the failures of a maildrop's messages, by key. A delivery or deletion that succeeds removes them."""
        query = "SELECT key, octets, failures, rejections, last, reason FROM trouble WHERE maildrop = ?"
        with self._reading():
            return {row[0]: MessageFailure(*row) for row in self._connection.execute(query, (maildrop,))}

    def clear_failures(self, maildrop: int, keys: Iterable[str]) -> None:
        """Remove the failures of these keys."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM trouble WHERE maildrop = ? AND key = ?", [(maildrop, key) for key in keys]
            )

    # --- servers ----------------------------------------------------------------------------------------------------

    def pipelining_failures(self) -> list[PipeliningFailure]:
        """Return the servers whose PIPELINING failed."""
        with self._reading():
            rows = self._connection.execute("SELECT host, port, failures, time FROM manners")
            return [PipeliningFailure(*row) for row in rows]

    def note_pipelining_failure(self, failure: PipeliningFailure) -> None:
        """Store a server's failure. It replaces an earlier one."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manners (host, port, failures, time) VALUES (?, ?, ?, ?)", failure
            )

    def forget_pipelining_failure(self, host: str, port: int) -> None:
        """Remove a server's failure."""
        with self._writing() as connection:
            connection.execute("DELETE FROM manners WHERE host = ? AND port = ?", (host, port))

    def capa_histories(self) -> list[CapaHistory]:
        """Return the histories of answers to CAPA."""
        with self._reading():
            rows = self._connection.execute("SELECT host, port, utf8, mechanisms, time, broke FROM capa")
            return [
                CapaHistory(host, port, utf8 == 1, tuple(words.split()), *times)
                for host, port, utf8, words, *times in rows
            ]

    def note_capa(self, history: CapaHistory) -> None:
        """Replace the history of a server's answers to CAPA."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO capa (host, port, utf8, mechanisms, time, broke) VALUES (?, ?, ?, ?, ?, ?)",
                (history.host, history.port, history.utf8, " ".join(history.mechanisms), history.time, history.broke),
            )

    # --- history ----------------------------------------------------------------------------------------------------

    def record_sessions(self, rows: Sequence[SessionRow]) -> None:
        """Add past sessions. The last KEPT_SESSIONS of each client are kept."""
        with self._writing() as connection:
            connection.executemany(
                f"INSERT INTO session ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 constants
                rows,
            )
            connection.executemany(
                "DELETE FROM session WHERE client = ?1 AND id <="
                " (SELECT id FROM session WHERE client = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                [(client, KEPT_SESSIONS) for client in {row.client for row in rows}],
            )

    def recent_sessions(self, limit: int, client: str | None = None) -> list[SessionRow]:
        """Return the last sessions of a client, or of all clients together, oldest first."""
        query, values = (_SESSIONS, (limit,)) if client is None else (_SESSIONS_OF_CLIENT, (client, limit))
        with self._reading():
            rows = self._connection.execute(query, values).fetchall()
        return [SessionRow(*row)._replace(code=ExitCode(row[3])) for row in reversed(rows)]

    def totals(self, since: int) -> MailTotals:
        """Return the sums over all kept sessions that ended at or after `since` (epoch seconds)."""
        query = "SELECT coalesce(sum(messages), 0), coalesce(sum(octets), 0) FROM session WHERE end >= ?"
        with self._reading():
            return MailTotals(*self._connection.execute(query, (since,)).fetchone())

    # --- standings and hooks ------------------------------------------------------------------------------------------

    def standings(self) -> list[StandingRow]:
        """Return the standings of all clients that have run."""
        with self._reading():
            rows = self._connection.execute("SELECT client, failures, success, message, kept, since FROM standing")
            return [StandingRow(*row) for row in rows]

    def record_standings(self, rows: Iterable[StandingRow]) -> None:
        """Replace the standings of clients."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO standing (client, failures, success, message, kept, since)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )

    def hook_times(self) -> list[HookTime]:
        """Return when hooks last ran."""
        with self._reading():
            return [HookTime(*row) for row in self._connection.execute("SELECT client, hook, time FROM hook")]

    def record_hook_times(self, rows: Iterable[HookTime]) -> None:
        """Replace the times of hooks."""
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO hook (client, hook, time) VALUES (?, ?, ?)", rows)
