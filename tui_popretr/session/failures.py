"""The failures of a session: collected by failure key, and counted in the journal in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import trio

from tui_popretr import faultpoints
from tui_popretr.clock import Clock
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageFailure
from tui_popretr.journal.thread import JournalThread
from tui_popretr.session.plan import backoff


class Failures:
    """The failures of one session. Keys are those of journal.records.uid_key() and similar functions."""

    def __init__(self, journal: JournalThread, clock: Clock) -> None:
        #: What failed in earlier sessions, by key.
        self.known: Mapping[str, MessageFailure] = {}
        #: Keys of what broke a connection of this session; it is not tried again in this session.
        self.broke: set[str] = set()
        #: Keys of messages that the destination has refused for good in this session.
        self.rejected: set[str] = set()
        self._journal = journal
        self._clock = clock
        self._failed: list[tuple[str, int, str, bool]] = []
        self._cleared: list[str] = []
        self._time_limit = inf
        self._counting = trio.CancelScope()

    def add(self, key: str, octets: int, reason: str, *, rejected: bool = False) -> None:
        """Add a failure for the next count()."""
        self._failed.append((key, octets, reason, rejected))

    def rests(self, key: str) -> bool:
        """Whether one more failure makes it rest: it is not tried at the next run."""
        return key in self.known and backoff(self.known[key].failures + 1) > 0

    def clear(self, key: str) -> None:
        """Clear earlier failures at the next count(), for a success that the journal does not see."""
        if key in self.known:
            self._cleared.append(key)

    def drop_common_failure(self, *, but_rejected: bool) -> None:
        """Drop the failures if there are several: the server or the destination has failed, not each message.

        `but_rejected`: keep refusals for good.
        """
        if len(self._failed) > 1:
            self._failed = [each for each in self._failed if each[-1] and but_rejected]

    def limit_time(self, seconds: float) -> None:
        """Limit count() to this time, from now or from its start."""
        self._time_limit = seconds
        self._counting.deadline = trio.current_time() + seconds

    async def count(self, maildrop: int) -> None:
        """Write the failures to the journal, even if the session is cancelled. Raises JournalError."""
        failed, self._failed = self._failed, []
        clear, self._cleared = self._cleared, []
        now = int(self._clock.now().timestamp())

        def count(journal: Journal) -> None:
            journal.count_failures(maildrop, failed, now)
            journal.clear_failures(maildrop, clear)

        if failed or clear:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._time_limit) as self._counting:
                await self._journal.run(count)
            faultpoints.reached(Step.TROUBLE_COUNTED)
