"""What the journal knows of each client over all processes: its standing, and when its hooks last ran."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import trio

from tui_popretr.clock import local_time
from tui_popretr.facts import Fact, MaildropListed, MessageDelivered, SessionClosed, SessionStarted, Standing
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import HookTime, StandingRow
from tui_popretr.status import reduce_standing


class Standings:
    """Keeps the standings up to date; a subscriber to the engine's facts. Changes are written with past sessions."""

    def __init__(self) -> None:
        self._known: dict[str, Standing] = {}
        self._changed: set[str] = set()
        #: By client and HookSettings.key: when the hook last ran, in epoch seconds.
        self.hook_times: dict[tuple[str, str], int] = {}
        self._changed_hooks: set[tuple[str, str]] = set()
        #: Set when there is something to write: by set_hook_time() and, at the end of a session, by the engine.
        self.changed = trio.Event()

    def load(self, journal: Journal) -> None:
        """Read all of it, in the journal's thread, before the first session. Raises JournalError."""
        self._known = {row.client: _standing(row) for row in journal.standings()}
        self.hook_times = {(row.client, row.hook): row.time for row in journal.hook_times()}

    def of(self, clients: Iterable[str]) -> tuple[Standing, ...]:
        """Return the standings of those of the clients that have run."""
        return tuple(self._known[each] for each in clients if each in self._known)

    def of_client(self, client: str) -> Standing:
        """Return the standing of a client; an empty one if it has never run."""
        return self._known.get(client) or Standing(client)

    def __call__(self, fact: Fact) -> None:
        match fact:
            case SessionStarted() | MessageDelivered() | MaildropListed() | SessionClosed():
                client = fact.session.client
                self._known[client] = reduce_standing(self.of_client(client), fact)
                if isinstance(fact, SessionClosed):
                    self._changed.add(client)

    def set_hook_time(self, client: str, hook: str, time: int) -> None:
        """Set when a hook ran."""
        self.hook_times[client, hook] = time
        self._changed_hooks.add((client, hook))
        self.changed.set()

    def changes(self) -> tuple[list[StandingRow], list[HookTime]]:
        """Return what has changed since the last call."""
        if self.changed.is_set():
            self.changed = trio.Event()
        clients, self._changed = self._changed, set()
        hooks, self._changed_hooks = self._changed_hooks, set()
        return (
            [_row(self._known[client]) for client in clients],
            [HookTime(*each, self.hook_times[each]) for each in hooks],
        )


def _standing(row: StandingRow) -> Standing:
    success, message, since = (_time(each) for each in (row.success, row.message, row.since))
    return Standing(row.client, row.failures, success, message, row.kept, since)


def _row(standing: Standing) -> StandingRow:
    success, message, since = (
        None if each is None else int(each.timestamp())
        for each in (standing.last_success, standing.last_message, standing.since)
    )
    return StandingRow(standing.client, standing.failures_in_a_row, success, message, standing.kept, since)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else local_time(datetime.fromtimestamp(seconds, UTC))
