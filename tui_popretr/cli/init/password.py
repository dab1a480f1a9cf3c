"""The source of the password: a file, a command, or an environment variable."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from dataclasses import dataclass

from tui_popretr.cli.init.console import Console
from tui_popretr.cli.init.text import absolute, shown
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.config.values import command_line
from tui_popretr.config.variables import variable_name
from tui_popretr.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """The source to write into the configuration, and the one to try a login with now, if there is one."""

    source: FromFile | FromCommand | FromEnvironment
    trial: PasswordSource | None

    @property
    def typed(self) -> Secret | None:
        """The password that was typed, to be written to the file of `source`."""
        return self.trial.secret if isinstance(self.trial, Literal) else None


def get_credentials(arguments: Namespace, console: Console, file: str, token_command: str = "") -> Credentials:
    """Return the credentials of the arguments or ask for them. A typed password would be kept in `file`.

    `token_command`: the server accepts only access tokens, and such a command prints one. Raises UsageError.
    """
    if arguments.password_command:
        return _from_command(arguments.password_command)
    if arguments.password_env:
        return _from_environment(console, arguments.password_env)
    if arguments.password_file:
        return _from_file(console, absolute(arguments.password_file))
    console.say()
    if token_command:
        return _from_command(console.ask("Command that prints the access token", token_command, check=command_line))
    choice = console.choose(
        "Where does the password come from?",
        [
            f"I type it now; it is kept in a file that only I can read, {shown(file)}",
            "a command prints it, for example a password manager: pass show mail/isp",
            "an environment variable",
        ],
    )
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
    return Credentials(source, Literal(console.ask_secret("Password")))


def _from_command(text: str) -> Credentials:
    source = FromCommand(command_line(text))
    return Credentials(source, source)


def _from_environment(console: Console, name: str) -> Credentials:
    source = FromEnvironment(name)
    if name in os.environ:
        return Credentials(source, source)
    console.say(f"{name} is not set now, so no login is tried.")
    return Credentials(source, None)
