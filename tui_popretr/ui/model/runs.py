"""Runs: exchanges of one session with the same command and good replies, which are shown as one row. Pure.

Terminology:

- *run*: exchanges of one session with the same verb and good replies. A run of one is a plain row. Commands that wait
  belong to the run, until a reply shows that they are errors: an error is a run of one, and what came after it another.
- *interleaved*: with PIPELINING the commands for messages (RETR, TOP, DELE and others with a message's number) come in
  any order, so that others of them do not end a run. Any other command ends all runs of its session.
- *member*: an exchange of a run. It has a row where the run is unfolded.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from tui_popretr.facts import SessionId
from tui_popretr.ui.model.exchanges import Exchange, Outcome

#: Commands for messages without a message's number.
_ANY_TIME: Final = frozenset({"NOOP"})
#: Ranges of messages that a row names.
_RANGES: Final = 4
_ORDER: Final = attrgetter("order")
_KEY: Final = attrgetter("key")


@dataclass(slots=True, eq=False)
class Run:
    """Exchanges in one row. `key` orders the runs and never changes. `forgotten` members are only counted."""

    key: int
    members: list[Exchange]
    first: int | None  # the number of the first message
    at: datetime
    forgotten: int = 0
    good: int = 0  # members with a good reply, also forgotten ones
    octets: int | None = None
    slowest: float = 0.0  # the longest wait, milliseconds
    ended: datetime | None = None
    unfolded: bool = False

    @classmethod
    def of(cls, members: list[Exchange]) -> Run:
        """Return a run of exchanges without good replies, and make it theirs."""
        first = members[0]
        run = cls(first.order, members, first.message, first.at)
        for each in members:
            each.run = run
        return run

    def takes(self, exchange: Exchange) -> bool:
        """Return whether a further command may join. An error stays alone; what ended with the connection does not."""
        if not self.members:
            return False
        first = self.members[0]
        return not first.error or first.outcome is exchange.outcome is Outcome.UNANSWERED

    def take(self, exchange: Exchange) -> None:
        """Count a good reply, or the octets of its data, which come later."""
        if exchange.counted is None:
            exchange.counted = 0
            self.good += 1
            self.slowest = max(self.slowest, exchange.slowest)
            self.ended = exchange.replied
        if exchange.octets:
            self.octets = (self.octets or 0) + exchange.octets - exchange.counted
            exchange.counted = exchange.octets

    # --- as a row, like an Exchange -----------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return self.forgotten + len(self.members)

    @property
    def last(self) -> Exchange:
        return self.members[-1]

    @property
    def session(self) -> SessionId:
        return self.last.session

    @property
    def command(self) -> str:
        """The command with the messages: "RETR 1-16, 18-120"."""
        verb = self.last.verb
        if self.first is None:
            return verb
        ranges: list[tuple[int, int]] = []
        for number in sorted(each.message or 0 for each in self.members):
            if ranges and number - ranges[-1][1] <= 1:
                ranges[-1] = ranges[-1][0], number
            elif len(ranges) == _RANGES:
                return f"{verb} {_joined(ranges)}, …"
            else:
                ranges.append((number, number))
        if self.forgotten:
            ranges[0] = min(self.first, ranges[0][0]), ranges[0][1]
        return f"{verb} {_joined(ranges)}"

    @property
    def result(self) -> str:
        """What became of the commands: "120 x +OK", "88 x +OK, 32 waiting"."""
        parts = [f"{self.good:,} x +OK"] if self.good else []
        if self.good < self.count:
            others = Outcome.LOST if self.last.outcome is Outcome.OK else self.last.outcome
            parts.append(f"{self.count - self.good:,} {others.value}")
        return ", ".join(parts)

    @property
    def outcome(self) -> Outcome:
        return Outcome.OK if self.good else self.last.outcome

    @property
    def error(self) -> bool:
        return self.members[0].error

    @property
    def wait(self) -> float | None:
        """The longest of a member."""
        return self.slowest if self.good else None

    @property
    def milliseconds(self) -> float | None:
        """From the first command to the last status line; None before a reply."""
        if self.ended is None:
            return None
        return max(self.slowest, (self.ended - self.at).total_seconds() * 1000)


def _joined(ranges: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


class Folding:
    """Puts exchanges into runs. The oldest exchanges are forgotten beyond `limit` lines."""

    def __init__(self, limit: int) -> None:
        #: By key.
        self.runs: list[Run] = []
        self._limit = limit
        self._exchanges: deque[Exchange] = deque()
        self._lines = 0
        #: By session: the runs that a further command may join, by verb, and whether they are interleaved.
        self._growing: dict[SessionId, tuple[bool, dict[str, Run]]] = {}

    def add(self, changed: Iterable[Exchange]) -> None:
        """Take exchanges that are new or have changed."""
        for exchange in sorted(changed, key=_ORDER):
            if exchange.forgotten:
                continue
            run = exchange.run or self._append(exchange)
            if exchange.outcome is Outcome.OK:
                run.take(exchange)
            elif exchange.error and run.count > 1:
                self._split(run, exchange)
            self._lines += exchange.lines - exchange.weighed
            exchange.weighed = exchange.lines
        if self._lines > self._limit:
            self._forget()

    def _append(self, exchange: Exchange) -> Run:
        """Add a command that was sent to a run."""
        self._exchanges.append(exchange)
        if not exchange.number:
            self._end_sessions(exchange.session.client)
        verb = exchange.verb
        interleaved = exchange.message is not None or verb in _ANY_TIME
        before, runs = self._growing.get(exchange.session, (interleaved, {}))
        if before is not interleaved or not (interleaved or verb in runs):
            runs = {}
        self._growing[exchange.session] = interleaved, runs
        run = runs.get(verb)
        if run is not None and run.takes(exchange):
            run.members.append(exchange)
            exchange.run = run
        else:
            run = runs[verb] = Run.of([exchange])
            self.runs.append(run)
        return run

    def _end_sessions(self, client: str) -> None:
        for each in [each for each in self._growing if each.client == client]:
            del self._growing[each]

    def _split(self, run: Run, exchange: Exchange) -> None:
        """Take an error out of its run. All commands without a reply at the end of a connection are one run."""
        at = bisect_left(run.members, exchange.order, key=_ORDER)
        if exchange.outcome is Outcome.UNANSWERED:
            if run.error:
                return
            parts = [run.members[at:]]
        else:
            parts = [run.members[at : at + 1], run.members[at + 1 :]]
        del run.members[at:]
        if not run.members:
            self.runs.remove(run)
        new = [Run.of(part) for part in parts if part]
        for each in new:
            insort(self.runs, each, key=_KEY)
        _, growing = self._growing.get(exchange.session, (False, {}))
        for verb in [verb for verb, each in growing.items() if each is run]:
            growing[verb] = new[-1]

    def _forget(self) -> None:
        gone: Counter[Run] = Counter()
        while self._lines > self._limit:
            exchange = self._exchanges.popleft()
            exchange.forgotten = True
            self._lines -= exchange.weighed
            if exchange.run is not None:
                gone[exchange.run] += 1
        for run, count in gone.items():
            del run.members[:count]
            run.forgotten += count
        self.runs = [run for run in self.runs if run.members]
