"""What was measured: as it is kept in a file, and what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one client: seconds, octets. `problem` says why it does not count; nothing where it does."""

    row: str
    client: str
    number: int
    seconds: float
    cpu: float
    memory: int
    problem: str = ""
    altered: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A row: what it was, how much, and the goals for the first client.

    `goals` are for its time, as shares of the others' times; `cpu` is the most seconds of processor time, `memory` the
    most octets, where they are not 0.
    """

    name: str
    what: str
    messages: int
    goals: Mapping[str, float]
    cpu: float = 0.0
    memory: int = 0


@dataclass(slots=True)
class Results:
    """All of one run of the benchmark. `quick` means sizes that say nothing. `daemon` is what benchmarks.idle found."""

    quick: bool
    machine: dict[str, str] = field(default_factory=dict)
    rows: list[Work] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    daemon: dict[str, float] = field(default_factory=dict)

    def save(self, path: str) -> None:
        """Write them to a file."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: str) -> Self:
        """Read what save() wrote."""
        told: dict[str, Any] = json.loads(Path(path).read_text())
        told["rows"] = [Work(**each) for each in told["rows"]]
        told["turns"] = [Turn(**each) for each in told["turns"]]
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Range:
    """A median, and the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Line:
    """What one client's turns at one row come to.

    `share` is the first client's time divided by this one's: of the medians, and the lowest and highest of one turn.
    Turns that failed do not count in any of the figures; `problem` is what was wrong with one of them.
    """

    work: Work
    client: str
    turns: int
    failed: int
    problem: str
    altered: int
    seconds: Range | None = None
    cpu: float = 0.0
    memory: int = 0
    share: Range | None = None

    @property
    def goal(self) -> float | None:
        """The most that `share` may be, if there is a goal."""
        matching = [most for name, most in self.work.goals.items() if self.client.startswith(name)]
        return matching[0] if matching else None


def lines(results: Results) -> Iterator[Line]:
    """Yield a line for each row and client, in their order."""
    for work in results.rows:
        turns = [turn for turn in results.turns if turn.row == work.name]
        clients = list(dict.fromkeys(turn.client for turn in turns))
        for client in clients:
            first = [turn for turn in turns if turn.client == clients[0]]
            yield _line(work, first, [turn for turn in turns if turn.client == client])


def _line(work: Work, first: list[Turn], all_turns: list[Turn]) -> Line:
    turns = [turn for turn in all_turns if not turn.problem]
    failed = [turn.problem for turn in all_turns if turn.problem]
    name = all_turns[0].client
    line = Line(work, name, len(turns), len(failed), failed[0] if failed else "", 0)
    if not turns:
        return line
    return replace(
        line,
        altered=max(turn.altered for turn in turns),
        seconds=Range.of([turn.seconds for turn in turns]),
        cpu=median([turn.cpu for turn in turns]),
        memory=max(turn.memory for turn in turns),
        share=_share([turn for turn in first if not turn.problem], turns) if name != first[0].client else None,
    )


def _share(first: list[Turn], turns: list[Turn]) -> Range | None:
    theirs = {turn.number: turn.seconds for turn in turns}
    each = [turn.seconds / theirs[turn.number] for turn in first if turn.number in theirs]
    if not each:
        return None
    of_medians = median([turn.seconds for turn in first]) / median(theirs.values())
    return Range(of_medians, min(each), max(each))
