"""The password or access token of a mail server, for one session; errors of either as those of the delivery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from tui_popretr.delivery.remote import AskOther, AskPassword, Say
from tui_popretr.errors import DeliveryFailed, ExitCode, PopretrError
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TokenErrors:
    """The errors of a protocol for an access token that is not available, by the exit code of the token's error."""

    login: type[DeliveryFailed]
    unreachable: type[DeliveryFailed]
    temporary: type[DeliveryFailed]
    protocol: type[DeliveryFailed]
    #: None: `login`
    configuration: type[DeliveryFailed] | None = None

    def error(self, problem: PopretrError, name: str) -> DeliveryFailed:
        """Return the error for `problem`. `name`: what the token is needed for."""
        kinds: dict[ExitCode, type[DeliveryFailed]] = {
            ExitCode.UNAVAILABLE: self.unreachable,
            ExitCode.TEMPORARY: self.temporary,
            ExitCode.PROTOCOL: self.protocol,
            ExitCode.CONFIGURATION: self.configuration or self.login,
            ExitCode.IO_ERROR: DeliveryFailed,
        }
        kind = kinds.get(problem.exit_code, self.login)
        failure = kind(f"{problem}; it is needed for {name}", advice=problem.advice)
        failure.login_missing = problem.login_missing
        return failure

    @contextmanager
    def mapped(self, name: str) -> Iterator[None]:
        """Raise errors of access tokens in this block as those of the delivery."""
        try:
            yield
        except DeliveryFailed:
            raise
        except PopretrError as problem:
            raise self.error(problem, name) from problem


class TokenRenewedError(Exception):
    """The server has refused the access token and closed the connection. The token is renewed."""


class Credentials:
    """Asks for the password once, and for an access token for each connection: it may have expired."""

    def __init__(
        self, name: str, errors: TokenErrors, ask: AskPassword, ask_other: AskOther | None, *, by_token: bool
    ) -> None:
        """`name` is the server's, for errors; `by_token`: `ask` returns an access token."""
        self._name = name
        self._errors = errors
        self._ask = ask
        self._ask_other = ask_other
        self._by_token = by_token
        self._secret: Secret | None = None

    async def get(self) -> Secret:
        """Return the password or access token. Raises DeliveryFailed."""
        if self._secret is None or self._by_token:
            with self._mapped():
                self._secret = await self._ask()
        return self._secret

    async def other(self, refused: Secret) -> Secret | None:
        """Return the access token to try after a refused one; None if there is no other. Raises DeliveryFailed."""
        if self._ask_other is None:
            return None
        with self._mapped():
            return await self._ask_other(refused)

    async def connected(self, connect: Callable[[], Awaitable[T]], said: Say) -> T:
        """Return a connection that is logged in. `connect` is called again after it has raised TokenRenewedError, once.

        Raises DeliveryFailed.
        """
        try:
            return await connect()
        except TokenRenewedError:
            said(Direction.EVENT, ["The access token is renewed; connecting once more"])
        try:
            return await connect()
        except TokenRenewedError:
            raise self._errors.temporary(
                f"{self._name} has refused two access tokens and closed the connection"
            ) from None

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except DeliveryFailed:
            raise
        except PopretrError as problem:
            if self._by_token:
                raise self._errors.error(problem, self._name) from problem
            what = f"cannot log in to {self._name}: {problem}"
            raise self._errors.login(what, advice=problem.advice) from problem
