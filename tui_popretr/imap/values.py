"""Values in responses: numbers, strings, lists (RFC 9051 §4)."""

from __future__ import annotations

from collections.abc import Sequence

#: An atom or a string as octets, a number, NIL as None, or a list.
Value = bytes | int | None | tuple["Value", ...]

#: The deepest list in a list.
MAX_DEPTH = 16


class NotAValue(ValueError):
    """The octets are not a value of IMAP."""


def parse(parts: Sequence[bytes]) -> tuple[Value, ...]:
    """Return the values of a response: text, literal, text, literal, ..., text. Raises NotAValue."""
    raise NotImplementedError
