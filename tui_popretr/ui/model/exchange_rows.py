"""The rows of exchanges: runs of the same command with good replies are one row; filter and next error. Pure.

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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from tui_popretr.facts import SessionId
from tui_popretr.logs.items import Item
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.model.exchanges import Exchange, Outcome, Pairing
from tui_popretr.ui.model.filtering import Words

#: Commands for messages without a message's number.
_ANY_TIME: Final = frozenset({"NOOP"})
#: Exchange.weighed of one that was dropped.
_DROPPED: Final = -1
_ORDER: Final = attrgetter("order")
_KEY: Final = attrgetter("key")


class ExchangeFilter(Words):
    """Words that session, command and reply of a row must have, or not."""

    def matches(self, exchange: Exchange) -> bool:
        """Return whether an exchange is shown."""
        reply = exchange.reply or exchange.outcome.value
        return not self or self.match(f"{exchange.session} {exchange.command} {reply}")


@dataclass(slots=True, eq=False)
class Run:
    """Exchanges in one row. `key` orders the runs and never changes. `forgotten` members are only counted."""

    key: int
    members: list[Exchange]
    first: int | None  # the number of the first message
    began: datetime
    forgotten: int = 0
    good: int = 0  # members with a good reply, also forgotten ones
    octets: int = 0
    slowest: float = 0.0  # milliseconds
    matching: int = 0
    ended: datetime | None = None

    @classmethod
    def of(cls, members: list[Exchange]) -> Run:
        """Return a run of exchanges without good replies, and make it theirs."""
        first = members[0]
        run = cls(first.order, members, first.message, first.at)
        for each in members:
            each.run = run
        run.matching = sum(each.matches for each in members)
        return run

    def takes(self, exchange: Exchange) -> bool:
        """Return whether a further command may join. An error stays alone; what ended with the connection does not."""
        if not self.members:
            return False
        first = self.members[0]
        return not first.error or first.outcome is exchange.outcome is Outcome.UNANSWERED

    @property
    def count(self) -> int:
        return self.forgotten + len(self.members)

    @property
    def waiting(self) -> int:
        """The number of members without a reply yet."""
        return self.count - self.good if self.members[-1].outcome is Outcome.WAITING else 0

    @property
    def span(self) -> float | None:
        """Milliseconds from the first command to the last status line; None before a reply."""
        if self.ended is None:
            return None
        return max(self.slowest, (self.ended - self.began).total_seconds() * 1000)

    def take(self, exchange: Exchange) -> None:
        """Count a good reply, or the octets of its data, which come later."""
        if exchange.counted is None:
            self.good += 1
            self.slowest = max(self.slowest, exchange.milliseconds or 0.0)
            self.ended = exchange.replied
        self.octets += (exchange.octets or 0) - (exchange.counted or 0)
        exchange.counted = exchange.octets or 0


class Row(NamedTuple):
    """A row as it is shown: a run, or a member of an unfolded run (depth 1)."""

    run: Run
    exchange: Exchange | None = None  # None for the row of a run of several

    @property
    def key(self) -> tuple[int, int]:
        """Identifies the row as long as it exists."""
        return self.run.key, self.exchange.order if self.depth and self.exchange is not None else -1

    @property
    def depth(self) -> int:
        return int(self.exchange is not None and self.run.count > 1)

    @property
    def last(self) -> Exchange:
        """The exchange of the row, of a run the latest."""
        return self.exchange or self.run.members[-1]

    @property
    def at(self) -> datetime:
        return self.run.began if self.exchange is None else self.exchange.at

    @property
    def session(self) -> SessionId:
        return self.last.session

    @property
    def command(self) -> str:
        """The command as it is shown: "RETR 17", of a run "RETR 1-120"."""
        last = self.last
        if self.exchange is not None:
            return last.command
        if self.run.first is None or last.message is None:
            return last.verb
        return f"{last.verb} {self.run.first}-{last.message}"

    @property
    def reply(self) -> str:
        """The status line; of a run "120 x +OK", "88 x +OK, 32 waiting"; else what became of the command in words."""
        if self.exchange is not None:
            return self.exchange.reply or self.exchange.outcome.value
        run = self.run
        parts = [f"{run.good:,} x +OK"] if run.good else []
        if run.waiting:
            parts.append(f"{run.waiting:,} {Outcome.WAITING.value}")
        elif run.good < run.count:
            parts.append(f"{run.count - run.good:,} {self.last.outcome.value}")
        return ", ".join(parts)

    @property
    def outcome(self) -> Outcome:
        if self.exchange is not None:
            return self.exchange.outcome
        return Outcome.OK if self.run.good else self.last.outcome

    @property
    def error(self) -> bool:
        return self.run.members[0].error if self.exchange is None else self.exchange.error

    @property
    def milliseconds(self) -> float | None:
        return self.run.span if self.exchange is None else self.exchange.milliseconds

    @property
    def octets(self) -> int | None:
        return (self.run.octets or None) if self.exchange is None else self.exchange.octets


class ExchangeRows:
    """Exchanges of all lines added, as rows, oldest first. The oldest exchanges are dropped beyond `limit` lines."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.filter = ExchangeFilter()
        #: Grows with every change of the rows.
        self.version = 0
        self._limit = limit
        self._pairing = Pairing()
        self._exchanges: deque[Exchange] = deque()
        self._weight = 0
        self._runs: list[Run] = []  # by key
        #: The runs that a further command may join: by verb, and whether it may be interleaved with others.
        self._growing: dict[SessionId, dict[tuple[str, bool], Run]] = {}
        self._unfolded: set[int] = set()
        self._rows: list[Row] | None = None

    def add(self, items: Iterable[Item]) -> None:
        """Take lines, oldest first."""
        changed = sorted(self._pairing.add(items), key=_ORDER)
        for exchange in changed:
            if exchange.weighed == _DROPPED:
                continue
            if exchange.run is None:
                self._append(exchange)
            self._update(exchange)
            weight = exchange.weight
            self._weight += weight - exchange.weighed
            exchange.weighed = weight
        if changed:
            self._drop()
            self._change()

    @property
    def count(self) -> int:
        """The number of rows without a filter, all runs folded."""
        return len(self._runs)

    def rows(self) -> Sequence[Row]:
        """Return the rows that the filter lets through, with the members of unfolded runs."""
        if self._rows is None:
            self._rows = rows = []
            for run in self._runs:
                if not run.matching:
                    continue
                if run.count == 1:
                    rows.append(Row(run, run.members[0]))
                    continue
                rows.append(Row(run))
                if run.key in self._unfolded:
                    rows += [Row(run, member) for member in run.members if member.matches]
        return self._rows

    def set_filter(self, text: str) -> None:
        """Show only rows that have these words; "" for all."""
        self.filter = ExchangeFilter(text)
        for run in self._runs:
            for member in run.members:
                member.matches = self.filter.matches(member)
            run.matching = sum(member.matches for member in run.members)
        self._change()

    def toggle(self, row: Row) -> None:
        """Unfold a run, or fold it again; of a member, its run."""
        if row.run.count > 1:
            self._unfolded ^= {row.run.key}
            self._change()

    def is_unfolded(self, row: Row) -> bool:
        """Return whether the row is of an unfolded run."""
        return row.run.key in self._unfolded

    def next_error(self, index: int) -> int | None:
        """Return the index of the first error after a row; -1 searches from the beginning."""
        rows = self.rows()
        return next((at for at in range(index + 1, len(rows)) if rows[at].error), None)

    def previous_error(self, index: int) -> int | None:
        """Return the index of the last error before a row."""
        rows = self.rows()
        return next((at for at in range(min(index, len(rows)) - 1, -1, -1) if rows[at].error), None)

    def index(self, key: tuple[int, int]) -> int | None:
        """Return the index of the row with this key, or of the one of its run; None if it is not shown."""
        found = None
        for at, row in enumerate(self.rows()):
            if row.run.key == key[0]:
                if row.key == key:
                    return at
                found = at if found is None else found
        return found

    def _change(self) -> None:
        self._rows = None
        self.version += 1

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _append(self, exchange: Exchange) -> None:
        """Add a command that was sent to its run."""
        self._exchanges.append(exchange)
        exchange.matches = self.filter.matches(exchange)
        if not exchange.number:
            self._end_sessions(exchange.session.client)
        runs = self._growing.setdefault(exchange.session, {})
        interleaved = exchange.message is not None or exchange.verb in _ANY_TIME
        kind = exchange.verb, interleaved
        if not all(each[1] for each in runs) if interleaved else list(runs) != [kind]:
            runs.clear()
        run = runs.get(kind)
        if run is None or not run.takes(exchange):
            run = Run.of([exchange])
            self._runs.append(run)
        else:
            run.members.append(exchange)
            run.matching += exchange.matches
            exchange.run = run
        runs[kind] = run

    def _end_sessions(self, client: str) -> None:
        for each in [each for each in self._growing if each.client == client]:
            del self._growing[each]

    def _update(self, exchange: Exchange) -> None:
        """Take what has become of a command."""
        run: Run = exchange.run
        matches = self.filter.matches(exchange)
        run.matching += matches - exchange.matches
        exchange.matches = matches
        if exchange.outcome is Outcome.OK:
            run.take(exchange)
        elif exchange.error and run.count > 1:
            self._split(run, exchange)

    def _split(self, run: Run, exchange: Exchange) -> None:
        """Take an error out of its run. All commands without a reply at the end of a connection are one run."""
        at = bisect_left(run.members, exchange.order, key=_ORDER)
        if exchange.outcome is Outcome.UNANSWERED:
            if run.members[0].outcome is Outcome.UNANSWERED:
                return
            parts = [run.members[at:]]
        else:
            parts = [run.members[at : at + 1], run.members[at + 1 :]]
        del run.members[at:]
        run.matching = sum(each.matches for each in run.members)
        if not run.members:
            self._runs.remove(run)
        new = [Run.of(part) for part in parts if part]
        for each in new:
            insort(self._runs, each, key=_KEY)
        runs = self._growing.get(exchange.session, {})
        for kind in [kind for kind, each in runs.items() if each is run]:
            runs[kind] = new[-1]

    def _drop(self) -> None:
        """Forget the oldest exchanges, some at a time."""
        if self._weight <= self._limit:
            return
        gone: Counter[Run] = Counter()
        while self._weight > self._limit * 9 // 10:
            exchange = self._exchanges.popleft()
            self._weight -= exchange.weighed
            exchange.weighed = _DROPPED
            exchange.run.matching -= exchange.matches
            gone[exchange.run] += 1
        for run, count in gone.items():
            del run.members[:count]
            run.forgotten += count
        self._runs = [run for run in self._runs if run.members]
        self._unfolded &= {run.key for run in self._runs}
