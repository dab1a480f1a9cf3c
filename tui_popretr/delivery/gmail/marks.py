"""Marks of messages in doubt: what is known of a message that Gmail may have, as text for the journal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

#: Seconds: the search of Gmail finds a message this long after its import, at the latest.
SEARCH_DELAY = 60.0
#: Octets in a second of a slow connection.
SLOW = 50_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A message that is being imported. `at`: epoch seconds; `others`: ids of equal messages that came before it."""

    message_id: str
    octets: int
    at: int
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = {"id": self.message_id, "size": self.octets, "at": self.at, "not": list(self.others)}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the mark; None if it is that of another destination or version."""
        try:
            fields = json.loads(text)
            others = tuple(map(str, fields["not"]))
            found = cls(str(fields["id"]), int(fields["size"]), int(fields["at"]), others)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return found

    def wait(self, now: float, cut: float = 0.0) -> float:
        """Return the seconds until Gmail can be asked. `cut`: when the connection ended, if that is known.

        If it is not, as after a kill, the message may have been under way for as long as a slow connection takes.

        If the clock was set back, the time that has passed is not known: then Gmail can be asked now.
        """
        passed = now - max(self.at, cut)
        delay = SEARCH_DELAY if cut else SEARCH_DELAY + self.octets // SLOW
        return delay - passed if 0 <= passed < delay else 0.0
