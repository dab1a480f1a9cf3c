"""Whether all mail arrived: each message once, as it was, and nothing left on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpora import identify


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is not as it should be, each as a number of messages."""

    missing: int = 0
    twice: int = 0
    altered: int = 0
    unknown: int = 0
    left: int = 0

    @property
    def complete(self) -> bool:
        """Every message was retrieved once. Some may have been altered on the way."""
        return not (self.missing or self.twice or self.unknown or self.left)

    def __str__(self) -> str:
        """In words; nothing where all is well."""
        told = {
            "missing": self.missing,
            "twice": self.twice,
            "altered": self.altered,
            "unknown": self.unknown,
            "left on the server": self.left,
        }
        return ", ".join(f"{count} {what}" for what, count in told.items() if count)


def verify(expected: Mapping[str, str], maildirs: Iterable[Path], left: int) -> Verdict:
    """Compare what is in Maildirs with what each message must come to, by name (see identify())."""
    seen = Counter[str]()
    altered = unknown = 0
    for maildir in maildirs:
        for path in (*maildir.glob("new/*"), *maildir.glob("cur/*")):
            name, content = identify(path.read_bytes())
            # a message belongs into the Maildir of its account
            if name not in expected or name.rpartition(".")[0] != maildir.name:
                unknown += 1
                continue
            seen[name] += 1
            altered += content != expected[name]
    twice = sum(count - 1 for count in seen.values())
    return Verdict(len(expected) - len(seen), twice, altered, unknown, left)
