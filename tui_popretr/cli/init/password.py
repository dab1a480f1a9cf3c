"""The source of the password: a file, a command, or an environment variable; or in its place, a login by OAuth."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from dataclasses import dataclass
from typing import Final

from tui_popretr.cli.init.console import Console
from tui_popretr.cli.init.oauth import NewLogin, ask_oauth
from tui_popretr.cli.init.text import absolute, shown
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.config.values import command_line
from tui_popretr.config.variables import variable_name
from tui_popretr.errors import UsageError
from tui_popretr.secret import Secret

_BY_OAUTH: Final = "tui-popretr logs in by OAuth, in a browser; this needs a client id (docs/oauth.md)"
_BY_COMMAND: Final = "a command prints it, that of another program for OAuth"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The source to write into the configuration, and the one to try a login with now, if there is one."""

    source: FromFile | FromCommand | FromEnvironment | OAuth
    trial: PasswordSource | None

    #: the secret that was typed, to be written to the file of `source`
    typed: Secret | None = None


def get_credentials(
    arguments: Namespace, console: Console, file: str, token_command: str = "", oauth: NewLogin | None = None
) -> Credentials:
    """Return the credentials of the arguments or ask for them. A typed password would be kept in `file`.

    `token_command`: the server accepts only access tokens, and such a command prints one. `oauth`: how to log in by
    OAuth, if the provider has it. Raises UsageError.
    """
    if arguments.client_id:
        if oauth is None:
            raise UsageError(
                "--client-id is for Gmail and Outlook",
                advice='for another provider write <oauth provider="custom"> into the configuration yourself',
            )
        return get_oauth(arguments, console, oauth)
    if arguments.password_command:
        return _from_command(arguments.password_command)
    if arguments.password_env:
        return _from_environment(console, arguments.password_env)
    if arguments.password_file:
        return _from_file(console, absolute(arguments.password_file))
    console.say()
    if token_command:
        if (
            oauth is not None
            and console.choose("Where does the access token come from?", [_BY_OAUTH, _BY_COMMAND]) == 1
        ):
            return get_oauth(arguments, console, oauth)
        return _from_command(console.ask("Command that prints the access token", token_command, check=command_line))
    choice = console.choose(
        "Where does the password come from?",
        [
            f"I type it now; it is kept in a file that only I can read, {shown(file)}",
            "a command prints it, for example a password manager: pass show mail/isp",
            "an environment variable",
            *([f"there is none: {_BY_OAUTH}"] if oauth is not None else []),
        ],
    )
    if choice == 4 and oauth is not None:
        return get_oauth(arguments, console, oauth)
    if choice == 1:
        return _from_file(console, file)
    if choice == 2:
        return _from_command(console.ask("Command", check=command_line))
    return _from_environment(console, console.ask("Variable", check=variable_name))


def other_credentials(console: Console, failed: Credentials) -> Credentials:
    """Ask for the credentials to try after a login that failed."""
    match failed.source:
        case FromFile() as source:
            return _typed(console, source)
        case FromCommand(argv):
            return _from_command(console.ask("Command", shlex.join(argv), check=command_line))
        case _:
            return failed


def get_oauth(arguments: Namespace, console: Console, oauth: NewLogin) -> Credentials:
    """Return a login by OAuth: the client id of the arguments, or ask for it. Raises UsageError."""
    settings, typed = ask_oauth(arguments, console, oauth)
    return Credentials(settings, None, typed)


def _from_file(console: Console, path: str) -> Credentials:
    source = FromFile(path)
    if os.path.lexists(path):
        console.say(f"The password file {shown(path)} exists already and is not changed.")
        return Credentials(source, source)
    if not console.interactive:
        console.say(f"{shown(path)} does not exist yet: its first line has to be the password (then chmod 600).")
        return Credentials(source, None)
    return _typed(console, source)


def _typed(console: Console, source: FromFile) -> Credentials:
    typed = console.ask_secret("Password")
    return Credentials(source, Literal(typed), typed)


def _from_command(text: str) -> Credentials:
    source = FromCommand(command_line(text))
    return Credentials(source, source)


def _from_environment(console: Console, name: str) -> Credentials:
    source = FromEnvironment(name)
    if name in os.environ:
        return Credentials(source, source)
    console.say(f"{name} is not set now, so no login is tried.")
    return Credentials(source, None)
