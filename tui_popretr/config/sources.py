"""Where a password or another secret comes from: the configuration, the environment, a file or a command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tui_popretr.config import values
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting
from tui_popretr.config.variables import variable_name
from tui_popretr.secret import Secret

_VARIABLE = Setting("env", variable_name)
_FILE = Setting("file", values.path)
_COMMAND = Setting("command", values.command_line)
#: Sources of a secret other than the text of its element.
SOURCES = (_VARIABLE, _FILE, _COMMAND)


@dataclass(frozen=True, slots=True)
class Literal:
    """The secret is in the configuration."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """The secret is in an environment variable."""

    name: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """The secret is the first line of a file, read at each session."""

    path: str  # absolute


@dataclass(frozen=True, slots=True)
class FromCommand:
    """The secret is the first line of the output of a command, which runs at each session, without a shell."""

    argv: tuple[str, ...] = field(repr=False)  # it may hold something private
    timeout: float = 60.0


PasswordSource = Literal | FromEnvironment | FromFile | FromCommand


def literal(text: str) -> PasswordSource:
    """A secret in the configuration."""
    return Literal(Secret(text))


def read_source(section: Section, what: str) -> PasswordSource | None:
    """Return the source of the secret in an element; None if it is empty. `what` is the secret's name for errors."""
    text_value = section.credential(octets=True)
    text = section.parsed(text_value, values.one_line, None)
    name = section.value(_VARIABLE)
    path = section.value(replace(_FILE, parse=_credential(section)))
    argv = section.value(_COMMAND)
    sources: list[PasswordSource] = []
    if secret := section.secret(text_value, text):
        sources.append(Literal(secret))
    if name:
        sources.append(FromEnvironment(name))
        if name not in section.context.environ:
            section.warning(f"the environment variable {name} is not set now")
    if path:
        sources.append(FromFile(path))
    if argv:
        sources.append(FromCommand(argv))
    if len(sources) > 1:
        section.error(f"the {what} comes from one place only: its text, env, file or command")
        return None
    return sources[0] if sources else None


def _credential(section: Section) -> Callable[[str], str]:
    """Return a parser of paths of secrets. With systemd's credentials, a bare file name is one of them."""
    folder = section.context.environ.get("CREDENTIALS_DIRECTORY")

    def parse(text: str) -> str:
        path = section.context.resolve(text)
        if folder and "/" not in text and not text.startswith(("~", "%")):
            return os.path.join(folder, os.path.basename(path))
        return path

    return parse
