"""Tokens as they are kept, and when they are due for renewal. Times are epoch seconds by this machine's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tui_popretr.secret import Secret

#: A token is renewed when this number of seconds, or a third of its lifetime, is left.
EARLY: Final = 300.0
#: A token that was obtained further in the future than this (seconds) was obtained by another clock.
_CLOCK_ERROR: Final = 60.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token, and what belongs to it."""

    access: Secret
    #: None if the provider gave none: then only the user can get another access token
    refresh: Secret | None
    #: None if the provider did not say
    expires: float | None
    #: what the access token allows
    scopes: tuple[str, ...]
    #: whose it is, as the provider says; "" if it does not
    account: str
    obtained: float

    def valid(self, now: float) -> bool:
        """Whether the access token has certainly not expired."""
        return not self._by_another_clock(now) and (self.expires is None or now < self.expires)

    def due(self, now: float) -> bool:
        """Whether the access token should be renewed. That it has no refresh token makes no difference."""
        if self._by_another_clock(now):
            return True
        if self.expires is None:
            return False
        return now >= self.expires - min(EARLY, (self.expires - self.obtained) / 3)

    def _by_another_clock(self, now: float) -> bool:
        """Whether the clock was set back, so that `expires` says nothing."""
        return self.obtained > now + _CLOCK_ERROR
