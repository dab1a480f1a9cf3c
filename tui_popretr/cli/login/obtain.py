"""One login: the flow, the account, and the tokens into their file."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tui_popretr.cli.login.accounts import same_account, tunnel
from tui_popretr.cli.login.terminal import Terminal
from tui_popretr.clock import SystemClock, local_time
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import OtherAccount
from tui_popretr.net.http import request
from tui_popretr.oauth import browser, device, paste
from tui_popretr.oauth.choice import Flow, choose_flow
from tui_popretr.oauth.files import TokenFiles
from tui_popretr.oauth.provider import TokenProvider, Web
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.session.passwords import Passwords
from tui_popretr.text import visible

#: Scopes that no access token has: they ask for a refresh token and for an id token.
_NOT_GRANTED: Final = frozenset({"offline_access", "openid", "email", "profile"})


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """How the user wants to log in. `port` 0: any."""

    flow: Flow | None = None
    port: int = 0


async def provider_of(oauth: OAuth, web: Web = request) -> TokenProvider:
    """Return the provider of a login. Raises PasswordUnavailable for its client secret."""
    secret = await Passwords().obtain(oauth.client_secret)
    return TokenProvider(oauth, secret, SystemClock(), web)


async def log_in(oauth: OAuth, wanted: LoginRequest, terminal: Terminal, web: Web = request) -> None:
    """Log in, write the tokens, and report whose account it is. Raises PopretrError."""
    flow = choose_flow(oauth, wanted.flow, os.environ)
    provider = await provider_of(oauth, web)
    files = TokenFiles()
    async with files.holding(oauth):
        pass  # a folder that cannot be used is found before the user does anything
    terminal.report(f"Logging in to {oauth.name} as {visible(oauth.account)}, for <{oauth.use.value}>.\n")
    tokens = await _run(flow, provider, oauth, wanted.port, terminal)
    if tokens.account and not same_account(tokens.account, oauth.account):
        raise OtherAccount(
            f"the user has logged in as {visible(tokens.account)}, but this is for {visible(oauth.account)}",
            advice=f"log in as {visible(oauth.account)} in the browser, perhaps in a private window",
        )
    async with files.holding(oauth):
        await files.save(oauth, tokens)
    terminal.report(f"\nLogged in to {oauth.name} as {visible(tokens.account or oauth.account)}.")
    for line in _about(oauth, tokens):
        terminal.report(f"  {line}")


async def _run(flow: Flow, provider: TokenProvider, oauth: OAuth, port: int, terminal: Terminal) -> Tokens:
    match flow:
        case Flow.DEVICE:
            return await device.log_in(provider, terminal)
        case Flow.BROWSER:
            return await browser.log_in(provider, terminal, port)
        case Flow.PASTE:
            port = port or paste.any_port()
            connect = tunnel(os.environ.get("SSH_CONNECTION", ""), _user(), port)
            again = paste.Tunnel(connect, f"{oauth.login_command} --flow browser --port {port}") if connect else None
            return await paste.log_in(provider, terminal, port, again)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may not have the user
        return "USER"


def _about(oauth: OAuth, tokens: Tokens) -> list[str]:
    """Return lines about tokens: what they allow, and until when."""
    lines = [f"allowed: {visible(' '.join(tokens.scopes), 1000)}"] if tokens.scopes else []
    if tokens.expires is None:
        lines.append("the provider does not say until when the access token is valid")
    else:
        until = f"{local_time(datetime.fromtimestamp(tokens.expires, UTC)):%Y-%m-%d %H:%M}"
        renewed = "and is renewed before" if tokens.refresh else "and cannot be renewed: log in again then"
        lines.append(f"the access token is valid until {until}, {renewed}")
    if not tokens.refresh:
        lines.append("warning: the provider gave no refresh token")
    if missing := set(oauth.scopes) - set(tokens.scopes) - _NOT_GRANTED:
        lines.append(f"warning: not allowed, although asked for: {visible(' '.join(sorted(missing)), 1000)}")
    return lines
