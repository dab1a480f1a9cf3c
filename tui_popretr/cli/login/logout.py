"""Logging out: the access is revoked where the provider has an address for that, and the tokens are forgotten."""

from __future__ import annotations

from tui_popretr.cli.login.obtain import provider_of
from tui_popretr.cli.login.terminal import Terminal
from tui_popretr.config.oauth import OAuth
from tui_popretr.errors import ExitCode, PopretrError, TokenFileDamaged
from tui_popretr.net.http import request
from tui_popretr.oauth.files import TokenFiles
from tui_popretr.oauth.provider import Web
from tui_popretr.text import visible
from tui_popretr.wording import error_with_advice


async def log_out(oauth: OAuth, terminal: Terminal, web: Web = request) -> ExitCode:
    """Log out; return the exit code: also if the access cannot be revoked, the tokens are forgotten.

    Raises TokenFileUnusable, TokenFileFromFuture.
    """
    name, files = f"{oauth.name}, {visible(oauth.account)}", TokenFiles()
    async with files.holding(oauth):
        try:
            tokens = await files.load(oauth, locked=True)
        except TokenFileDamaged as problem:
            terminal.say(f"{name}: {problem}; so nothing can be revoked.")
            return problem.exit_code
        if tokens is None:
            terminal.report(f"{name}: there is no token.")
            return ExitCode.OK
        failure: PopretrError | None = None
        if oauth.endpoints.revoke is not None:
            try:
                await (await provider_of(oauth, web)).revoke(tokens.refresh or tokens.access)
            except PopretrError as problem:
                failure = problem
        await files.forget(oauth)
    if failure is not None:
        terminal.say(
            f"{name}: the tokens are forgotten, but the access is not revoked:"
            f" {error_with_advice(str(failure), failure.advice)}. You can remove it on the provider's website."
        )
        return failure.exit_code
    if oauth.endpoints.revoke is None:
        terminal.report(
            f"{name}: the tokens are forgotten. This provider has no address to revoke the access; you can remove it on"
            " its website."
        )
    else:
        terminal.report(f"{name}: the access is revoked, and the tokens are forgotten.")
    return ExitCode.OK
