"""The password or access token of an IMAP server, for one session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.remote import AskOther, AskPassword
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    ImapLoginFailed,
    ImapProtocolError,
    ImapServerUnreachable,
    ImapTemporaryFailure,
    PopretrError,
)
from tui_popretr.secret import Secret

#: The error of a delivery, by the exit code of an error of access tokens.
_TOKEN_ERRORS: Final[dict[ExitCode, type[DeliveryFailed]]] = {
    ExitCode.UNAVAILABLE: ImapServerUnreachable,
    ExitCode.TEMPORARY: ImapTemporaryFailure,
    ExitCode.PROTOCOL: ImapProtocolError,
    ExitCode.IO_ERROR: DeliveryFailed,
}


class Credentials:
    """Asks for the password once, and for an access token for each connection: it may have expired."""

    def __init__(self, destination: ImapDestination, name: str, ask: AskPassword, ask_other: AskOther | None) -> None:
        """`name` is the server's, for errors."""
        self._by_token = destination.oauth is not None
        self._name = name
        self._ask = ask
        self._ask_other = ask_other
        self._secret: Secret | None = None

    async def get(self) -> Secret:
        """Return the password or access token. Raises DeliveryFailed."""
        if self._secret is None or self._by_token:
            with self._explained():
                self._secret = await self._ask()
        return self._secret

    async def other(self, refused: Secret) -> Secret | None:
        """Return the access token to try after a refused one; None if there is no other. Raises DeliveryFailed."""
        if self._ask_other is None:
            return None
        with self._explained():
            return await self._ask_other(refused)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of passwords and access tokens into those of deliveries."""
        try:
            yield
        except DeliveryFailed:
            raise
        except PopretrError as problem:
            if not self._by_token:
                what = f"cannot log in to {self._name}: {problem}"
                raise ImapLoginFailed(what, advice=problem.advice) from problem
            kind = _TOKEN_ERRORS.get(problem.exit_code, ImapLoginFailed)
            failure = kind(f"{problem}; it is needed for {self._name}", advice=problem.advice)
            failure.login_missing = problem.login_missing
            raise failure from problem
