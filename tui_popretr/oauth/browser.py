"""The browser flow (RFC 8252): a browser on this machine, which the provider redirects to a loopback address."""

from __future__ import annotations

from typing import Final, Protocol

import trio

from tui_popretr.errors import LoginTimedOut, PopretrError
from tui_popretr.oauth.authorization import Authorization
from tui_popretr.oauth.listener import LOOPBACK, listening
from tui_popretr.oauth.person import Person
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret
from tui_popretr.wording import duration

#: Seconds that the user has.
_PATIENCE: Final = 3600.0


class CodeProvider(Protocol):
    """What the browser flow and the paste flow need of a provider."""

    @property
    def name(self) -> str:
        """The provider's name for people."""
        ...

    def begin(self, redirect: str) -> Authorization:
        """Begin a login that redirects to an address."""
        ...

    async def redeem(self, code: Secret, login: Authorization) -> Tokens:
        """Return the tokens for a code. Raises PopretrError."""
        ...


async def log_in(provider: CodeProvider, person: Person, port: int = 0) -> Tokens:
    """Return the tokens of the user; listen on `port`, 0: a free one.

    Raises LoginPortUnavailable, LoginTimedOut, LoginDenied, IssuerMismatch, and other PopretrErrors.
    """
    async with listening(port) as listener:
        login = provider.begin(listener.address)
        opened = person.open(login.address)
        if opened:
            person.say(f"A browser opens, to log in at {provider.name}. If it does not, open this address in one:")
        else:
            person.say(f"Open this address in a browser on this machine, and log in at {provider.name}:")
        person.show(login.address)
        if not opened:
            person.say("A browser on another machine can reach this one after you have run there:")
            person.say(f"  ssh -L {listener.port}:{LOOPBACK}:{listener.port} USER@HOST")
        person.say("Waiting until you have agreed there. ctrl+c gives up.")

        def report(problem: PopretrError) -> None:
            person.say(f"The browser's answer is ignored: {problem}. To do: {problem.advice}.")

        with trio.move_on_after(_PATIENCE):
            code = await listener.receive(login.code_in, report)
            return await provider.redeem(code, login)
    raise LoginTimedOut(f"the browser has brought no answer within {duration(_PATIENCE)}")
