"""The paste flow: a browser on another machine, from which the user copies the address that it cannot load."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from tui_popretr.errors import RedirectIgnored
from tui_popretr.oauth.browser import CodeProvider
from tui_popretr.oauth.listener import redirect_address
from tui_popretr.oauth.person import Person
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.wording import sentence

#: The ports that no service has (RFC 6335 §6): nothing on the browser's machine is likely to answer.
_PORTS: Final = range(49152, 65536)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A login without pasting: the command that connects to this machine, and the one to log in there."""

    connect: str
    log_in: str


def any_port() -> int:
    """Return a port for the address that is pasted."""
    return secrets.choice(_PORTS)


async def log_in(provider: CodeProvider, person: Person, port: int, tunnel: Tunnel | None = None) -> Tokens:
    """Return the tokens of the user. The address that is pasted names `port`.

    `tunnel`: how to log in without pasting. Asks again until the address is the right one. Raises UsageError at
    the end of input, LoginDenied, IssuerMismatch, and other PopretrErrors.
    """
    redirect = redirect_address(port)
    login = provider.begin(redirect)
    if tunnel is not None:
        person.say("To log in without pasting, press ctrl+c, and run this on the machine with the browser:")
        person.show(tunnel.connect)
        person.say("Then run this in the shell that it opens:")
        person.show(tunnel.log_in)
    person.say(f"Open this address in a browser, on any machine, and log in at {provider.name}:")
    person.show(login.address)
    person.say(
        f"When you have agreed, the browser goes to an address that begins with {redirect} and reports that it cannot"
        " load it. That is right. Copy that address from its address bar, and paste it here."
    )
    while True:
        try:
            code = login.code_in(person.ask("Address"))
        except RedirectIgnored as problem:
            person.say(sentence(f"{problem}: {problem.advice}"))
        else:
            return await provider.redeem(code, login)
