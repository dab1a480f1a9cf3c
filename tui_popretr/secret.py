"""A text that must never be shown: its repr, str and format are stars, and only reveal() returns it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, final

STARS = "****"
#: Octets of a secret that is starred out of a server's text after the login. Shorter ones occur there by chance.
MIN_ECHO = 4


def starred(text: bytes, secrets: Iterable[bytes], least: int) -> bytes:
    """Return text of a server with the secrets of at least `least` octets starred out, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= least:
            text = text.replace(secret, STARS.encode())
    return text


@final
class Secret:
    """A password or token.

    It can be compared, hashed and tested for emptiness, but not printed, formatted or pickled by accident.
    Code that needs the text calls reveal().
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return f"Secret({STARS!r})"

    def __str__(self) -> str:
        return STARS

    def __format__(self, spec: str) -> str:
        return STARS

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
