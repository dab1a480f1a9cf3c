"""Values in responses: atoms, strings, lists (RFC 9051 §4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import final

#: The deepest list in a list.
MAX_DEPTH = 16

_TOKEN = re.compile(
    rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|((?:[^\x00-\x20(){"\x7f\[]|\[[^\]]*\])+))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


@final
class Atom(bytes):
    """A word that is not a string: a number, a flag, a name."""

    __slots__ = ()


#: NIL is None; a list is a tuple.
Value = bytes | tuple["Value", ...] | None


class NotAValue(ValueError):
    """The octets are not values of IMAP."""


def parse(parts: Sequence[bytes]) -> tuple[Value, ...]:
    """Return the values of a response: text, literal, text, literal, ..., text. Raises NotAValue."""
    lists: list[list[Value]] = [[]]
    for number, part in enumerate(parts):
        if number % 2:
            lists[-1].append(bytes(part))
        else:
            _parse_text(part, lists)
    if len(lists) > 1:
        raise NotAValue("a list is not closed")
    return tuple(lists[0])


def _parse_text(text: bytes, lists: list[list[Value]]) -> None:
    text, at = text.rstrip(b" "), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotAValue("neither an atom nor a string nor a list")
        at = match.end()
        opening, closing, quoted, atom = match.groups()
        if quoted is not None:
            lists[-1].append(_ESCAPED.sub(rb"\1", quoted))
        elif atom is not None:
            lists[-1].append(None if atom.upper() == b"NIL" else Atom(atom))
        elif opening:
            if len(lists) > MAX_DEPTH:
                raise NotAValue("too many lists in lists")
            lists.append([])
        elif closing:
            if len(lists) == 1:
                raise NotAValue("a list is closed that was not opened")
            inner = tuple(lists.pop())
            lists[-1].append(inner)


def number(value: Value) -> int | None:
    """Return a number; None for another value."""
    return int(value) if isinstance(value, Atom) and re.fullmatch(rb"[0-9]{1,18}", value) else None
