"""`init`: a first configuration, from a few answers and a look at the server."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from tui_popretr.cli import preflight
from tui_popretr.cli.config_path import locate, own_place
from tui_popretr.cli.init.ask import Agreed, amount, interview
from tui_popretr.cli.init.console import Dialogue, Talk, folded, has_terminal, needed, plain
from tui_popretr.cli.init.private_file import PrivateFile, already_there
from tui_popretr.cli.init.write import configuration_text, shown
from tui_popretr.config import values
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.explain import describe
from tui_popretr.config.login import command_line, variable_name
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import load
from tui_popretr.config.values import InvalidValueError
from tui_popretr.engine.service import connect_tcp
from tui_popretr.errors import CannotCreate, ConfigurationError, ExitCode, PopretrError, UsageError
from tui_popretr.session.setup import Connector

_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "user": needed,
    "address": server_address,
    "tspath": needed,
    "fingerprint": values.fingerprint,
    "password_file": needed,
    "password_command": command_line,
    "password_env": variable_name,
    "maildir": needed,
    "folder": needed,
    "smtp": mail_address,
    "smtp_server": server_address,
    "sender": mail_address,
    "freq": values.duration,
    "id": values.file_name(128),
    "recip": values.file_name(254),
}


def run(arguments: Namespace, *, connector: Connector = connect_tcp) -> int:
    """Ask what the arguments do not say, look at the server, try the login, write the configuration; return 0.

    Nothing is written unless all went well. Raises UsageError, which names all that is missing where there is nobody to
    ask; CannotCreate where there is a configuration already; the PopretrError of what is wrong with server or login.
    """
    path = os.path.abspath(arguments.config or own_place().path)
    if os.path.lexists(path) and not arguments.force:
        raise already_there(path)
    if trouble := preflight.folder_trouble(os.path.dirname(os.path.realpath(path))):
        raise CannotCreate(f"{shown(path)} cannot be written: {trouble}", advice="name another file: init FILE")
    _check_arguments(arguments)
    talk = Talk(Dialogue() if has_terminal() else None, quiet=bool(arguments.quiet))
    if talk.silent:
        _refuse_missing(arguments)
    try:
        agreed = interview(arguments, path, talk, connector)
    except PopretrError as problem:
        talk.shorten(problem)
        raise
    _write(path, agreed, force=arguments.force)
    if not arguments.quiet:
        _tell_what_is_next(path, agreed)
    return ExitCode.OK


def _check_arguments(arguments: Namespace) -> None:
    """Make the arguments fit for a configuration. Raises UsageError: before anybody is asked or called on."""
    for name, check in _CHECKS.items():
        text = getattr(arguments, name)
        if text is None:
            continue
        try:
            setattr(arguments, name, plain(text.strip(), check))
        except InvalidValueError as problem:
            raise UsageError(f"--{name.replace('_', '-')}: {problem}") from None
    if (arguments.sender or arguments.smtp_server) and (arguments.maildir or arguments.folder):
        raise UsageError("--sender and --smtp-server go with --smtp")


def _refuse_missing(arguments: Namespace) -> None:
    wanted = {
        "--address": [arguments.address],
        "--user": [arguments.user],
        "one of --password-file, --password-command, --password-env": [
            arguments.password_file,
            arguments.password_command,
            arguments.password_env,
        ],
        "one of --maildir, --folder, --smtp": [arguments.maildir, arguments.folder, arguments.smtp],
    }
    missing = [option for option, given in wanted.items() if not any(given)]
    if missing:
        raise UsageError(
            f"there is no terminal to ask on, so these are missing: {'; '.join(missing)}",
            advice="tui-popretr init --help explains them",
        )


def _write(path: str, agreed: Agreed, *, force: bool) -> None:
    """Write the configuration and, where a password was typed, its file: both or neither.

    Raises ConfigurationError where an answer cannot stand in a configuration, DeliveryFailed and CannotCreate.
    """
    try:
        data = configuration_text(agreed.outline).encode()
    except UnicodeEncodeError:
        raise ConfigurationError("a path cannot stand in a configuration: it is not valid UTF-8") from None
    with ExitStack() as unfinished:
        configuration = unfinished.enter_context(PrivateFile(path, data))
        _check(configuration.unfinished, agreed)
        made = ""
        if agreed.password_file is not None:
            name, secret = agreed.password_file
            password = unfinished.enter_context(PrivateFile(name, f"{secret.reveal()}\n".encode()))
            made = "" if os.path.lexists(name) else name
            password.publish(replace=True)
        try:
            configuration.publish(replace=force)
        except BaseException:
            if made:
                with contextlib.suppress(OSError):
                    os.unlink(made)
            raise


def _check(path: str, agreed: Agreed) -> None:
    """See whether the configuration means what was agreed. Raises ConfigurationError."""
    loaded = load(path)
    if loaded.settings is None:
        errors = "; ".join(problem.message for problem in loaded.problems if problem.severity is Severity.ERROR)
        raise ConfigurationError(f"such a configuration cannot be used: {errors}")
    outline, (client,) = agreed.outline, loaded.settings.clients
    if (client.id, client.recip, client.server) != (outline.client_id, outline.recip, agreed.server):
        raise ConfigurationError("an answer cannot stand in a configuration: it would be read as something else")


def _tell_what_is_next(path: str, agreed: Agreed) -> None:
    file = locate(path)
    loaded = load(file.path, var=file.var)
    if loaded.settings is None:
        raise ConfigurationError("\n".join(str(problem) for problem in loaded.problems))
    settings = loaded.settings
    print(f"\nWritten: {shown(path)}")
    if agreed.password_file is not None:
        print(f"         {shown(agreed.password_file[0])}, which holds the password")
    for client in settings.clients:
        print(folded(f"\n{describe(client)}"))
    for problem in loaded.problems:
        if problem.severity is Severity.WARNING:
            print(problem, file=sys.stderr)
    for warning in preflight.warnings(settings):
        print(f"{shown(path)}: warning: {warning}", file=sys.stderr)
    name = "" if _is_found(settings.path) else f" {shlex.quote(path)}"
    if agreed.outline.keep and (agreed.found is None or agreed.found.messages):
        there = f": {amount(agreed.found)}" if agreed.found is not None else ""
        mark = f"tui-popretr mark-seen{name} --client {shlex.quote(agreed.outline.client_id)}"
        print(
            folded(f"\nThe first run retrieves all that is there now{there}. To begin with what comes next, first run:")
        )
        print(f"  {mark}")
    print("\nNext:")
    if agreed.found is None:
        print(f"  tui-popretr check{name} --connect\n      tries server and password")
    print(f"  tui-popretr{name}\n      opens the dashboard; R retrieves at once, ? shows the keys, q ends it")
    print(f"  tui-popretr{name} --headless --once\n      retrieves once, without a dashboard")


def _is_found(path: str) -> bool:
    """Whether a configuration, by its real path, is found without being named."""
    with contextlib.suppress(ConfigurationError):
        return os.path.realpath(locate(None).path) == path
    return False
