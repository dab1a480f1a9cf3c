"""A logged-in user, a provider, and the access tokens of a process.

trio's clock stands still unless a test moves it, because calls in threads do not stop it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock

from tests.oauth.making import SCOPES, oauth_for, tokens
from tests.oauth.memory import MemoryWeb
from tests.support.clock import FakeClock
from tests.support.oauth_provider import OAuthProvider
from tests.support.passwords import discreet
from tui_popretr.config.sources import Literal, PasswordSource
from tui_popretr.errors import PopretrError
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.oauth.store import TokenStore
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

T = TypeVar("T")


class World:
    """A logged-in user, the provider, and the access tokens of one process."""

    def __init__(self, folder: str) -> None:
        self.clock = FakeClock()
        self.trio = MockClock()
        self.provider = OAuthProvider(clock=self.now)
        self.oauth = oauth_for(self.provider, folder)
        self.store = TokenStore(folder)
        self.warnings: list[str] = []
        self.web: Callable[..., Any] = MemoryWeb(self.provider)
        self.access = self.process()

    def now(self) -> float:
        return self.clock.now().timestamp()

    def process(self) -> AccessTokens:
        """The access tokens of another process."""

        async def obtain(source: PasswordSource | None) -> Secret:
            await trio.lowlevel.checkpoint()
            return source.secret if isinstance(source, Literal) else Secret("")

        return AccessTokens(obtain, self.clock, self.warnings.append, self.web)

    def log_in(self) -> Tokens:
        """The user has logged in."""
        answer = self.provider._tokens(self.provider._grant(" ".join(SCOPES)))
        fields = json.loads(answer.body)
        found = tokens(
            fields["access_token"],
            fields.get("refresh_token"),
            lifetime=fields["expires_in"],
            obtained=self.now(),
        )
        with self.store.locked(self.oauth.key):
            self.store.save(self.oauth.key, found)
        return found

    def stored(self) -> Tokens | None:
        return self.store.load(self.oauth.key)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.trio.jump(seconds)

    @property
    def renewals(self) -> int:
        return self.provider.count("/token", "refresh_token")

    def get(self) -> Tokens:
        return self.run(partial(self.access.get, self.oauth))

    def refused(self, access: Secret) -> Tokens | None:
        return self.run(partial(self.access.refused, self.oauth, access))

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Run in trio; what is raised comes out of it. The clock of trio goes on from call to call."""
        return trio.run(call, clock=self.trio)

    def failure(self, call: Callable[[], object]) -> PopretrError:
        with pytest.raises(PopretrError) as caught:
            call()
        discreet(str(caught.value), caught.value.advice, repr(caught.value), *self.warnings)
        return caught.value
