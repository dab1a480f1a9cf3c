"""The words of a filter: a text matches if it has all words, and none of those written with `!` before them. Pure."""

from __future__ import annotations

from typing import Final

#: How to use it, in one line.
RULE: Final = "words to look for; !word excludes; a capital letter makes the case count"


class Words:
    """A filter as the user types it. An empty filter, or a lone `!`, excludes nothing.

    The case of a word is ignored unless it has a capital letter, as in a search (SearchPattern).
    """

    def __init__(self, text: str = "") -> None:
        #: What was typed.
        self.text = text
        words = text.split()
        self._wanted = [_Word(word) for word in words if not word.startswith("!")]
        self._excluded = [_Word(word[1:]) for word in words if len(word) > 1 and word.startswith("!")]

    def __bool__(self) -> bool:
        return bool(self._wanted or self._excluded)

    def match(self, text: str) -> bool:
        """Return whether a text matches."""
        texts = text, text.casefold()
        return all(word.is_in(*texts) for word in self._wanted) and not any(
            word.is_in(*texts) for word in self._excluded
        )


class _Word:
    def __init__(self, text: str) -> None:
        self._exact = text != text.lower()
        self._text = text if self._exact else text.casefold()

    def is_in(self, text: str, folded: str) -> bool:
        return self._text in (text if self._exact else folded)
