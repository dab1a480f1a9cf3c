"""The device flow (RFC 8628): the user types a code into a page of the provider, on any device, and we poll."""

from __future__ import annotations

from typing import Final, Protocol

import trio

from tui_popretr.errors import ExitCode, LoginTimedOut, PopretrError
from tui_popretr.oauth.forms import AuthorizationPending, DeviceCode, SlowDown
from tui_popretr.oauth.person import Person
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.wording import duration

#: Seconds that slow_down adds to the interval (RFC 8628 §3.5).
_SLOWER: Final = 5.0
#: Seconds between polls, at least and at most, whatever the provider says.
_SHORTEST: Final = 1.0
_LONGEST: Final = 60.0
#: Seconds that a code is waited for, at most.
_LIFETIME: Final = 3600.0
#: Errors of a poll after which it is repeated.
_TEMPORARY: Final = (ExitCode.TEMPORARY, ExitCode.UNAVAILABLE)


class DeviceProvider(Protocol):
    """What the flow needs of a provider."""

    @property
    def name(self) -> str:
        """The provider's name for people."""
        ...

    async def begin_device(self) -> DeviceCode:
        """Return a new code. Raises PopretrError."""
        ...

    async def poll(self, code: DeviceCode) -> Tokens:
        """Return the tokens. Raises AuthorizationPending and SlowDown, and the PopretrError that ends the login."""
        ...


async def log_in(provider: DeviceProvider, person: Person) -> Tokens:
    """Return the tokens of the user. Raises LoginTimedOut if the code expires, LoginDenied, and other PopretrErrors."""
    code = await provider.begin_device()
    lifetime = min(code.expires_in, _LIFETIME)
    person.say(f"Open this address in a browser, on any device, and log in at {provider.name}:")
    person.show(code.address)
    person.say("Type this code there:")
    person.show(code.user_code)
    if code.complete_address:
        person.say("Or open this address, which has the code in it:")
        person.show(code.complete_address)
    person.say(f"Waiting until you have agreed there, for {duration(lifetime)} at most. ctrl+c gives up.")
    with trio.move_on_after(lifetime):
        return await _poll(provider, person, code)
    raise LoginTimedOut("the code has expired before the login was complete")


async def _poll(provider: DeviceProvider, person: Person, code: DeviceCode) -> Tokens:
    interval = min(max(code.interval, _SHORTEST), _LONGEST)
    reported = ""
    while True:
        await trio.sleep(interval)
        try:
            return await provider.poll(code)
        except SlowDown:
            interval += _SLOWER
        except AuthorizationPending:
            reported = ""
        except PopretrError as problem:
            if problem.exit_code not in _TEMPORARY:
                raise
            interval = min(2 * interval, max(interval, _LONGEST))  # RFC 8628 §3.5: exponential backoff
            if str(problem) != reported:
                reported = str(problem)
                person.say(f"No answer yet ({problem}); asking again.")
