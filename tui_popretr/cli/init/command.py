"""`init`: makes a first configuration from a few answers and a test of the server."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Final

from tui_popretr.cli import preflight
from tui_popretr.cli.config_path import locate, own_configuration
from tui_popretr.cli.folding import folded
from tui_popretr.cli.init.account import LookUp, whole_mail_address
from tui_popretr.cli.init.ask import Wizard, WizardResult
from tui_popretr.cli.init.console import Console, has_terminal, plain, required
from tui_popretr.cli.init.existing import ExistingConfiguration
from tui_popretr.cli.init.lookup import look_up
from tui_popretr.cli.init.text import shown
from tui_popretr.cli.init.write import already_exists, write
from tui_popretr.config import values
from tui_popretr.config.addresses import full_mail_address, mail_address, server_address
from tui_popretr.config.choices import gmail_labels
from tui_popretr.config.describe import describe
from tui_popretr.config.oauth import client_id, tenant
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import load
from tui_popretr.config.values import InvalidValueError, command_line
from tui_popretr.config.variables import variable_name
from tui_popretr.engine.service import connect_tcp
from tui_popretr.errors import CannotCreate, ConfigurationError, ExitCode, PopretrError, UsageError
from tui_popretr.session.setup import Connector
from tui_popretr.text import visible
from tui_popretr.wording import mail_volume

_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "mail": whole_mail_address,
    "user": required,
    "address": server_address,
    "tspath": required,
    "fingerprint": values.fingerprint,
    "password_file": required,
    "password_command": command_line,
    "password_env": variable_name,
    "client_id": client_id,
    "client_secret_file": required,
    "tenant": tenant,
    "maildir": required,
    "folder": required,
    "smtp": mail_address,
    "smtp_server": server_address,
    "imap": server_address,
    "imap_user": required,
    "imap_password_file": required,
    "imap_password_command": command_line,
    "imap_password_env": variable_name,
    "imap_folder": values.printable,
    "imap_tspath": required,
    "imap_fingerprint": values.fingerprint,
    "gmail": full_mail_address,
    "gmail_client_id": client_id,
    "gmail_client_secret_file": required,
    "gmail_labels": gmail_labels,
    "sender": mail_address,
    "freq": values.duration,
    "id": values.file_name(128),
    "recip": values.file_name(254),
}
# Without a terminal, one of each group has to be given.
_REQUIRED: Final = (
    ("address", "mail"),
    ("user", "mail"),
    ("password_file", "password_command", "password_env", "client_id"),
    ("maildir", "folder", "smtp", "imap", "gmail"),
)
_REQUIRED_FOR_IMAP: Final = (
    ("imap_user",),
    ("imap_password_file", "imap_password_command", "imap_password_env"),
)
_FOR_IMAP: Final = ("imap_folder", "imap_tspath", "imap_fingerprint")
#: What goes with --gmail; all but the labels is needed.
_REQUIRED_FOR_GMAIL: Final = (("gmail_client_id",), ("gmail_client_secret_file",))


def run(arguments: Namespace, *, connector: Connector = connect_tcp, looked_up: LookUp = look_up) -> int:
    """Ask for what the arguments do not give, test the server and the login, write the configuration; return 0.

    Nothing is written unless all of it succeeds. Raises UsageError, which names every missing argument if there is no
    terminal; CannotCreate if the configuration exists; the PopretrError of the server or login.
    """
    path = os.path.abspath(arguments.config or own_configuration().path)
    console = Console(interactive=has_terminal(), quiet=bool(arguments.quiet))
    existing = None
    if os.path.lexists(path) and not arguments.force:
        existing = _existing(path, arguments, console)
    if trouble := preflight.folder_trouble(os.path.dirname(os.path.realpath(path))):
        raise CannotCreate(f"{shown(path)} cannot be written: {trouble}", advice="name another file: init FILE")
    _check_arguments(arguments)
    if not console.interactive:
        _require_arguments(arguments)
    try:
        taken = existing.ids if existing is not None else None
        if taken is not None and arguments.id in taken:
            raise UsageError(f"--id: {shown(path)} has a client '{arguments.id}' already")
        result = Wizard(arguments, path, console, connector, looked_up, taken).run()
    except PopretrError as problem:
        console.shorten(problem)
        raise
    write(path, result.client, result.secrets, force=arguments.force, existing=existing)
    if not arguments.quiet:
        _explain_next_steps(path, result, added=existing is not None)
    if not result.client.has_login or arguments.offline or arguments.no_login or not console.interactive:
        return ExitCode.OK
    console.say()
    return _log_in(path, result.client.id, arguments) if console.confirm("Log in now?", default=True) else ExitCode.OK


def _log_in(path: str, client: str, arguments: Namespace) -> int:
    """Run `login` for the new client; return its exit code. Raises PopretrError; the configuration stays."""
    from tui_popretr.cli.login.command import run as log_in  # most users have a password

    print()
    settings = {"config": path, "naf": None, "client": client, "use": None, "flow": None, "port": None, "logout": False}
    return log_in(Namespace(**settings, quiet=arguments.quiet))


def _existing(path: str, arguments: Namespace, console: Console) -> ExistingConfiguration:
    """Return the configuration to which the client is added. Raises CannotCreate if it is not, ConfigurationError."""
    if not arguments.add and not console.interactive:
        raise already_exists(path)
    existing = ExistingConfiguration.read(path)
    if not arguments.add:
        ids = ", ".join(sorted(map(visible, existing.ids))) or "none"
        console.say(f"{shown(path)} exists already; its clients: {ids}")
        if not console.confirm("Add a client to it?", default=True):
            raise already_exists(path)
    return existing


def _check_arguments(arguments: Namespace) -> None:
    """Check and strip the arguments, before anything is asked or connected. Raises UsageError."""
    for name, check in _CHECKS.items():
        text = getattr(arguments, name)
        if text is None:
            continue
        try:
            setattr(arguments, name, plain(text.strip(), check))
        except InvalidValueError as problem:
            raise UsageError(f"{_option(name)}: {problem}") from None
    if (arguments.client_secret_file or arguments.tenant) and not arguments.client_id:
        raise UsageError("--client-secret-file and --tenant go with --client-id")
    others = (arguments.maildir, arguments.folder, arguments.imap, arguments.gmail)
    if (arguments.sender or arguments.smtp_server) and any(others):
        raise UsageError("--sender and --smtp-server go with --smtp")
    for_imap = (*(name for group in _REQUIRED_FOR_IMAP for name in group), *_FOR_IMAP)
    if not arguments.imap and (given := [name for name in for_imap if getattr(arguments, name)]):
        raise UsageError(f"{_option(given[0])} goes with --imap")
    for_gmail = ("gmail_client_id", "gmail_client_secret_file", "gmail_labels")
    if not arguments.gmail and (given := [name for name in for_gmail if getattr(arguments, name)]):
        raise UsageError(f"{_option(given[0])} goes with --gmail")


def _require_arguments(arguments: Namespace) -> None:
    required_here = _REQUIRED + (
        _REQUIRED_FOR_IMAP if arguments.imap else _REQUIRED_FOR_GMAIL if arguments.gmail else ()
    )
    missing = [group for group in required_here if not any(getattr(arguments, name) for name in group)]
    if missing:
        named = [("one of " if len(group) > 1 else "") + ", ".join(map(_option, group)) for group in missing]
        raise UsageError(
            f"there is no terminal to ask on, so these are missing: {'; '.join(named)}",
            advice="tui-popretr init --help explains them",
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _explain_next_steps(path: str, result: WizardResult, *, added: bool) -> None:
    file, client, found = locate(path), result.client, result.found
    loaded = load(file.path, var=file.var)
    if loaded.settings is None:
        raise ConfigurationError("\n".join(str(problem) for problem in loaded.problems))
    print(f"\nWritten: {shown(path)}{', with the new client' if added else ''}")
    for secret_file in result.secrets:
        what = "client secret" if secret_file in client.client_secret_files else "password"
        print(f"         {shown(secret_file)}, which holds the {what}")
    for each in loaded.settings.clients[-1:]:
        print(folded(f"\n{describe(each)}"))
    for problem in loaded.problems:
        if problem.severity is Severity.WARNING:
            print(folded(str(problem), sys.stderr), file=sys.stderr)
    for warning in preflight.warnings(loaded.settings):
        print(folded(f"{shown(path)}: warning: {warning}", sys.stderr), file=sys.stderr)
    name = "" if _is_found_unnamed(loaded.settings.path) else f" {shlex.quote(path)}"
    if client.keep and (found is None or found.messages):
        when = "first" if client.server.oauth is None else "after the login"
        existing = f": {mail_volume(found.messages, found.octets)}" if found and found.messages else ""
        print(folded(f"\nThe first run retrieves all mail that is on the server{existing}. To skip it, {when} run:"))
        print(f"  tui-popretr mark-seen{name} --client {shlex.quote(client.id)}")
    print("\nNext:")
    if added:
        print(f"  tui-popretr reload{name}\n      lets a tui-popretr that runs with this file read it again")
    if client.has_login:
        print(f"  tui-popretr login{name} --client {shlex.quote(client.id)}")
        print("      logs in, in a browser on any machine, and tests a session")
    else:
        print(f"  tui-popretr check{name} --connect\n      tests the server and the password; retrieves nothing")
    print(f"  tui-popretr{name}\n      opens the dashboard; R retrieves at once, ? shows the keys, q quits")
    print(f"  tui-popretr{name} --headless --once\n      retrieves once, without a dashboard")
    if not added:
        print(f"  tui-popretr service{name} --write\n      lets systemd run it, without a dashboard")


def _is_found_unnamed(path: str) -> bool:
    """Whether a configuration, by its real path, is the one used when none is named."""
    with contextlib.suppress(ConfigurationError):
        return os.path.realpath(locate(None).path) == path
    return False
