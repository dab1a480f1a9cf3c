"""A login by OAuth in a new client: its client id, its client secret, its tenant."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass

from tui_popretr.cli.init.console import Console
from tui_popretr.cli.init.text import absolute, shown
from tui_popretr.config.oauth import DEFAULT_TENANT, NAMES, OAuth, Provider, client_id, tenant
from tui_popretr.config.sources import FromFile
from tui_popretr.config.values import InvalidValueError
from tui_popretr.errors import UsageError
from tui_popretr.secret import Secret


@dataclass(frozen=True, slots=True)
class NewLogin:
    """What is known of a login before anything is asked. A typed client secret would be kept in `file`.

    `file_option`: the option that names the file of the client secret.
    """

    provider: Provider
    account: str
    file: str
    file_option: str = "--client-secret-file"


def ask_oauth(arguments: Namespace, console: Console, login: NewLogin) -> tuple[OAuth, Secret | None]:
    """Return the settings, and the client secret if it was typed. Raises UsageError if there is no terminal to ask on.

    The settings have what is written into a configuration, and no more.
    """
    given: str = arguments.client_id or ""
    if not given:
        console.say("\nRegister a client id once, as docs/oauth.md explains.")
        given = console.ask("Client id", check=_client_id)
    source, typed = _client_secret(arguments, console, login)
    directory = DEFAULT_TENANT
    if login.provider is Provider.MICROSOFT:
        directory = arguments.tenant or DEFAULT_TENANT
        if not arguments.tenant and not arguments.client_id:
            directory = console.ask("Tenant (directory) that it is for", DEFAULT_TENANT, check=tenant)
    elif arguments.tenant:
        raise UsageError("--tenant is for Microsoft")
    return OAuth(login.provider, given, login.account, client_secret=source, tenant=directory), typed


def _client_secret(arguments: Namespace, console: Console, login: NewLogin) -> tuple[FromFile | None, Secret | None]:
    """Return where the client secret is. Only Google requires one of a program like this."""
    if arguments.client_secret_file:
        path = absolute(arguments.client_secret_file)
        if not os.path.lexists(path):
            console.say(
                f"{shown(path)} does not exist yet: its first line has to be the client secret (then chmod 600)."
            )
        return FromFile(path), None
    if login.provider is not Provider.GOOGLE:
        return None, None
    if not console.interactive:
        raise UsageError(f"{NAMES[login.provider]} requires a client secret", advice=f"add {login.file_option}")
    source = FromFile(login.file)
    if os.path.lexists(login.file):
        console.say(
            f"The file {shown(login.file)} exists already and is not changed: its first line is the client secret."
        )
        return source, None
    return source, console.ask_secret("Client secret")


def _client_id(text: str) -> None:
    client_id(text)
    if not text:
        raise InvalidValueError("an answer is needed")


def as_written(oauth: OAuth | None) -> OAuth | None:
    """Return the settings of a login with what is written into a configuration, and no more, for a comparison."""
    if oauth is None:
        return None
    return OAuth(oauth.provider, oauth.client_id, oauth.account, client_secret=oauth.client_secret, tenant=oauth.tenant)
