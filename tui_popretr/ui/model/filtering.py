"""The words of a filter: a text matches if it has all words, and none of those written with `!` before them. Pure."""

from __future__ import annotations

from typing import Final

#: What a user has to know of it.
RULE: Final = "words to look for; !word excludes"


class Words:
    """A filter as the user types it. The case is ignored; an empty filter, or a lone `!`, excludes nothing."""

    def __init__(self, text: str) -> None:
        words = text.casefold().split()
        self._wanted = tuple(word for word in words if not word.startswith("!"))
        self._excluded = tuple(word[1:] for word in words if word.startswith("!") and word != "!")

    def __bool__(self) -> bool:
        return bool(self._wanted or self._excluded)

    def match(self, text: str) -> bool:
        """Return whether a text matches."""
        folded = text.casefold()
        return all(word in folded for word in self._wanted) and not any(word in folded for word in self._excluded)
