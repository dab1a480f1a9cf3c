"""Sets of UIDs, as in `2,4:7` (RFC 9051 §4.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

#: A number of IMAP: 32 bits.
NUMBER = re.compile(rb"[0-9]{1,10}")
MAX_NUMBER = 2**32 - 1
_RANGE = re.compile(rb"([0-9]{1,10})(?::([0-9]{1,10}))?")


@dataclass(frozen=True, slots=True)
class UidSet:
    """Ranges of UIDs, in the order in which they were written. It may represent all 2**32 - 1 UIDs."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: bytes) -> UidSet | None:
        """Read a set without `*`; None if it is not one."""
        ranges = []
        for part in text.split(b","):
            match = _RANGE.fullmatch(part)
            if match is None:
                return None
            ends = int(match[1]), int(match[2] or match[1])
            if not 0 < min(ends) <= max(ends) <= MAX_NUMBER:
                return None
            ranges.append((min(ends), max(ends)))
        return cls(tuple(ranges))

    @classmethod
    def of(cls, *uids: int) -> UidSet:
        """Return the set of these UIDs, in this order."""
        return cls(tuple((uid, uid) for uid in uids))

    @property
    def count(self) -> int:
        """The number of UIDs."""
        return sum(last - first + 1 for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)


def uid_set(uids: Iterable[int]) -> str:
    """Return UIDs as a set, in ascending order, with ranges."""
    ordered = sorted(set(uids))
    runs = [[uid for _, uid in run] for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])]
    return ",".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}:{run[-1]}" for run in runs)
