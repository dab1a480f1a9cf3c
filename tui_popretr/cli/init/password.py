"""Where the password of a first configuration comes from: a file of its own, a command, or the environment."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from dataclasses import dataclass

from tui_popretr.cli.init.console import Talk
from tui_popretr.cli.init.write import Password, absolute, shown
from tui_popretr.config.login import command_line, variable_name
from tui_popretr.config.model import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the password will come from."""

    source: Password
    trial: PasswordSource | None  # what a login can be tried with, if it can
    typed: Secret | None = None

    @property
    def file(self) -> tuple[str, Secret] | None:
        """The file to be written, with the password that was typed for it."""
        if self.typed is None or not isinstance(self.source, FromFile):
            return None
        return self.source.path, self.typed


def credentials(arguments: Namespace, talk: Talk, file: str) -> Credentials:
    """Return what the arguments say, else what the user does. `file` is where a typed password would be kept.

    Raises UsageError.
    """
    if arguments.password_command:
        return _from_command(arguments.password_command)
    if arguments.password_env:
        return _from_environment(talk, arguments.password_env)
    if arguments.password_file:
        return _from_file(talk, absolute(arguments.password_file))
    talk.say()
    choice = talk.asker.choose(
        "Where does the password come from?",
        [
            f"I type it now; it is kept in a file that only I can read, {shown(file)}",
            "a command prints it, as password managers do: pass show mail/isp",
            "a variable of the environment",
        ],
    )
    if choice == 1:
        return _from_file(talk, file)
    if choice == 2:
        return _from_command(talk.asker.ask("Command", check=command_line))
    return _from_environment(talk, talk.asker.ask("Variable", check=variable_name))


def other_credentials(talk: Talk, failed: Credentials) -> Credentials:
    """Return what the user wants to try after a login that failed."""
    match failed.source:
        case FromFile() as source:
            return _typed(talk, source)
        case FromCommand(argv):
            return _from_command(talk.asker.ask("Command", shlex.join(argv), check=command_line))
        case _:
            return failed


def _from_file(talk: Talk, path: str) -> Credentials:
    source = FromFile(path)
    if os.path.lexists(path):
        talk.say(f"The password file {shown(path)} is there already, and stays as it is.")
        return Credentials(source, source)
    if talk.silent:
        talk.say(f"{shown(path)} is not there yet: its first line has to be the password (then chmod 600).")
        return Credentials(source, None)
    return _typed(talk, source)


def _typed(talk: Talk, source: FromFile) -> Credentials:
    typed = talk.asker.ask_secret("Password")
    return Credentials(source, Literal(typed), typed)


def _from_command(text: str) -> Credentials:
    source = FromCommand(command_line(text))
    return Credentials(source, source)


def _from_environment(talk: Talk, name: str) -> Credentials:
    source = FromEnvironment(name)
    if name in os.environ:
        return Credentials(source, source)
    talk.say(f"{name} is not set now, so no login is tried.")
    return Credentials(source, None)
