"""Text from outside fitted into terminal cells: characters that terminals measure differently, wrapping, right-to-left.

Text that text.visible returns moves no cursor, but terminals and this program may still disagree on its width; then the
rest of the row is misplaced. sanitize() prevents both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

from tui_popretr.text import visible

#: Ends a run of right-to-left letters, so that digits in the next column keep their place (UAX #9, rule W2).
MARK: Final = "\u200e"

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]")
# Parts of emoji sequences, and fillers: terminals differ in their width, alone or joined.
_UNRULY = re.compile("[\u3164\uffa0\u20e3\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0000-\U000e01ef]")
_UNKNOWN = "\ufffd"
# The most usual characters that take one cell in every terminal.
_NARROW = re.compile("[ -~¡-¬®-˿\u0391-\u03a9\u03b1-\u03c9\u0410-\u044f…\ufffd]*")


def sanitize(text: str) -> str:
    """Return `text` neutralised (text.visible), with U+FFFD for characters on whose width terminals do not agree.

    Variation selectors are removed.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_sanitize_character, visible(text, 10 * len(text))))


def width(text: str) -> int:
    """Return the number of cells of a sanitized text."""
    return len(text) if _is_narrow(text) else cell_len(text)


def wrapped(text: str, cells: int) -> Sequence[str]:
    """Return a sanitized text in pieces of at most `cells` cells (at least 2), at least one piece."""
    if len(text) <= cells and text.isascii():
        return (text,)
    return _pieces(text, max(2, cells))


def height(text: str, cells: int) -> int:
    """Return the number of pieces that wrapped() returns."""
    if _is_narrow(text):
        return -(-len(text) // cells) or 1
    return len(_pieces(text, max(2, cells)))


def cut(text: str, cells: int) -> str:
    """Return a sanitized text in exactly `cells` cells: padded, or cut with an ellipsis."""
    size = width(text)
    if size <= cells:
        return text + " " * (cells - size)
    return set_cell_size(text, cells - 1) + "…" if cells else ""


def fitted(text: str, cells: int, *, right: bool = False) -> str:
    """Return text sanitized and in exactly `cells` cells: cut, or padded behind it or, with `right`, before it."""
    text = sanitize(text)
    if right:
        text = " " * (cells - width(text)) + text
    return cut(text, cells) + (MARK if is_right_to_left(text) else "")


def is_right_to_left(text: str) -> bool:
    """Return whether a terminal with bidirectional text (UAX #9) reverses a part of `text`."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def _is_narrow(text: str) -> bool:
    return text.isascii() or _NARROW.fullmatch(text) is not None


# Cached, because the rows of a long line are drawn one after the other.
@lru_cache(maxsize=256)
def _pieces(text: str, cells: int) -> Sequence[str]:
    if _is_narrow(text):
        return tuple(text[start : start + cells] for start in range(0, len(text), cells)) or ("",)
    return tuple(chop_cells(text, cells)) or ("",)


@lru_cache(maxsize=4096)
def _sanitize_character(character: str) -> str:
    if _SELECTORS.match(character):
        return ""
    if _UNRULY.match(character) or unicodedata.category(character) in ("Mc", "Cn", "Cs", "Cc", "Cf"):
        return _UNKNOWN
    return character
