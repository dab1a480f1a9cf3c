"""Failures of messages in a session, as they are counted at its end or when the connection breaks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from tests.journal.model_errand import Tally
from tests.journal.model_program import Program
from tests.journal.model_records import Records
from tui_popretr.session.plan import Listed


@dataclass(slots=True)
class Troubles:
    """Of one connection."""

    program: Program
    records: Records
    tally: Tally
    known: Collection[str] = ()  # what the journal had before, by trouble key
    failed: list[Listed] = field(default_factory=list)
    _overcome: list[str] = field(default_factory=list)

    def delivered(self, listed: Listed) -> None:
        """With a UID the journal sees that by itself."""
        if listed.uid is None and listed.failure_key in self.known:
            self._overcome.append(listed.failure_key)

    def blame(self, suspect: Listed) -> None:
        """A message broke the connection."""
        self.count()
        self._count([suspect], [])

    def count(self) -> None:
        """Tell the journal of all so far."""
        failed, self.failed = self.failed, []
        overcome, self._overcome = self._overcome, []
        if not self.tally.delivered and len(failed) > 1:
            failed = []  # all were refused: that is the server's trouble and none of the messages'
        if failed or overcome:
            self._count(failed, overcome)

    def _count(self, failed: list[Listed], overcome: list[str]) -> None:
        keys = [each.failure_key for each in failed]
        self.records.failed(keys, surely=False)
        self.records.overcome(overcome, surely=False)
        journal, maildrop = self.program.journal, self.records.number
        troubles = [(each.failure_key, each.size, "refused", False) for each in failed]
        journal.count_failures(maildrop, troubles, self.records.ledger.clock.now)
        journal.clear_failures(maildrop, overcome)
        self.records.failed(keys, surely=True)
        self.records.overcome(overcome, surely=True)
