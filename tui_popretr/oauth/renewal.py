"""Access tokens for sessions: valid, and renewed early.

**When.** A token is renewed when it is due (tokens.py), and once if a server refuses it. A token that is younger than
INTERVAL is not renewed because of a refusal: then the cause is another. After a renewal that failed, the next one with
the same refresh token begins INTERVAL later at the earliest (ENDED_INTERVAL if the provider has ended the grant); until
then the same error is raised. So refusals never lead to more than one request in that time, however many clients share
a token. A new token is found at once, because the file is read each time.

**One at a time.** The lock of the token file is held from reading to writing (store.py). The next holder finds the
new token.

**Once begun, a renewal is completed**, also if the session is cancelled: the provider may have replaced the refresh
token, and only the answer has the new one. It gets GRACE seconds for that.

**A new token that cannot be written** (the disk is full) is used from memory, and written later. The file keeps the old
one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from tui_popretr.clock import Clock
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.sources import PasswordSource
from tui_popretr.errors import GrantEnded, NotLoggedIn, PopretrError, TokenFileUnusable
from tui_popretr.oauth.files import TokenFiles
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret
from tui_popretr.text import visible

if TYPE_CHECKING:
    from tui_popretr.net.tls import TlsContexts
    from tui_popretr.oauth.provider import Web

#: Seconds.
INTERVAL: Final = 60.0
ENDED_INTERVAL: Final = 900.0
GRACE: Final = 5.0

#: Reads a secret from its source.
Obtain = Callable[[PasswordSource | None], Awaitable[Secret]]


def _ignore(text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Failure:
    """A renewal that failed, and until when it is not repeated (trio's clock)."""

    refresh: Secret
    until: float
    problem: PopretrError


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """Renewed tokens that are not in the file, and those that are. Their times say nothing: clocks are set."""

    tokens: Tokens
    in_file: Tokens


class AccessTokens:
    """The access tokens of a process.

    `obtain` reads the client secret; `warn` gets a text for the log; `web` stands in for the network. Without
    `contexts` no TLS context is shared with other connections.
    """

    def __init__(
        self,
        obtain: Obtain,
        clock: Clock,
        warn: Callable[[str], None] = _ignore,
        web: Web | None = None,
        contexts: TlsContexts | None = None,
    ) -> None:
        self.files = TokenFiles()
        self._obtain = obtain
        self._clock = clock
        self._warn = warn
        self._web = web
        self._contexts = contexts
        self._failures: dict[str, _Failure] = {}
        self._reported: dict[str, _Failure] = {}
        self._in_file: dict[str, Tokens] = {}
        self._unwritten: dict[str, _Unwritten] = {}

    async def get(self, oauth: OAuth) -> Tokens:
        """Return a valid access token, and what belongs to it.

        Raises NotLoggedIn, GrantEnded, LoginRefused, and the errors of token files and providers.
        """
        tokens = await self._current(oauth)
        if not tokens.due(self._now()) and oauth.key not in self._unwritten:
            return tokens
        try:
            async with self.files.holding(oauth):
                tokens = await self._current(oauth, locked=True)
                if oauth.key in self._unwritten:
                    await self._write(oauth, tokens)
                return await self._renew(oauth, tokens) if tokens.due(self._now()) else tokens
        except PopretrError as problem:
            if not tokens.valid(self._now()):
                raise
            failure = self._failures.get(oauth.key)
            if failure is None or self._reported.get(oauth.key) is not failure:  # once for each request
                self._warn(f"the access token of {visible(oauth.account)} is valid, but was not renewed: {problem}")
            if failure is not None:
                self._reported[oauth.key] = failure
            return tokens

    async def refused(self, oauth: OAuth, access: Secret) -> Tokens | None:
        """Return the tokens to try after a server has refused `access`; None if there are no others.

        Raises as get().
        """
        async with self.files.holding(oauth):
            tokens = await self._current(oauth, locked=True)
            if tokens.access != access:  # another session or process has renewed it
                return tokens
            if 0 <= self._now() - tokens.obtained < INTERVAL:
                return None
            return await self._renew(oauth, tokens)

    async def _current(self, oauth: OAuth, *, locked: bool = False) -> Tokens:
        """Return the tokens of the file, or those that could not be written to it."""
        tokens = await self.files.load(oauth, locked=locked)
        if tokens is None:
            self._unwritten.pop(oauth.key, None)
            raise NotLoggedIn(f"{oauth.first}: there is no access token for {visible(oauth.account)} yet")
        unwritten = self._unwritten.get(oauth.key)
        if unwritten is not None and unwritten.in_file == tokens:
            return unwritten.tokens
        self._unwritten.pop(oauth.key, None)  # the user has logged in, or another process has renewed it
        self._in_file[oauth.key] = tokens
        return tokens

    # --- a renewal ----------------------------------------------------------------------------------------------------

    async def _renew(self, oauth: OAuth, tokens: Tokens) -> Tokens:
        """Renew the tokens, within holding(), and complete this also if cancelled."""
        if tokens.refresh is None:
            what = f"the access token of {visible(oauth.account)} has ended, and {oauth.name} gave none to renew it"
            raise GrantEnded(f"{oauth.again}: {what}")
        failure = self._failures.get(oauth.key)
        if failure and failure.refresh == tokens.refresh and trio.current_time() < failure.until:
            raise type(failure.problem)(str(failure.problem), advice=failure.problem.advice)
        secret = await self._obtain(oauth.client_secret)
        result: Tokens | BaseException | None = None
        scope, done = trio.CancelScope(shield=True), trio.Event()

        async def complete(refresh: Secret) -> None:
            nonlocal result
            with scope:
                try:
                    result = await self._ask_and_write(oauth, secret, tokens, refresh)
                except PopretrError as problem:
                    result = problem
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(complete, tokens.refresh)
            try:
                await done.wait()
            except trio.Cancelled:
                scope.deadline = trio.current_time() + GRACE
                raise
        if isinstance(result, PopretrError):
            pause = ENDED_INTERVAL if isinstance(result, GrantEnded) else INTERVAL
            self._failures[oauth.key] = _Failure(tokens.refresh, trio.current_time() + pause, result)
            raise result
        assert isinstance(result, Tokens)
        self._failures.pop(oauth.key, None)
        return result

    async def _ask_and_write(self, oauth: OAuth, secret: Secret, tokens: Tokens, refresh: Secret) -> Tokens:
        # Imported here because most users have no tokens.
        from tui_popretr.net.http import request
        from tui_popretr.oauth.provider import TokenProvider

        web = self._web or partial(request, contexts=self._contexts)
        provider = TokenProvider(oauth, secret, self._clock, web)
        renewed = await provider.renew(tokens, refresh)
        await self._write(oauth, renewed)
        return renewed

    async def _write(self, oauth: OAuth, tokens: Tokens) -> None:
        """Write tokens, or keep them in memory."""
        self._unwritten[oauth.key] = _Unwritten(tokens, self._in_file[oauth.key])
        try:
            await self.files.save(oauth, tokens)
        except TokenFileUnusable as problem:
            self._warn(f"{problem}; the renewed token is used without it, and written at the next session")
        else:
            self._unwritten.pop(oauth.key, None)

    def _now(self) -> float:
        return self._clock.now().timestamp()
