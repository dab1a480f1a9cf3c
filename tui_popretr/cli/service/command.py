"""`service`: print the units of a configuration, or write them where systemd looks for them."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Final

from tui_popretr.cli import configuration
from tui_popretr.cli.config_path import ConfigurationFile, locate, own_configuration
from tui_popretr.cli.folding import folded
from tui_popretr.cli.service.places import metrics_folder, password_files, runs_commands, written_folders
from tui_popretr.cli.service.unit import Service, edit_command, service_text, timer_text
from tui_popretr.config.model import CommandDestination, FolderDestination, MaildirDestination, Settings
from tui_popretr.config.problems import Severity
from tui_popretr.errors import CannotCreate, ExitCode, describe_os_error
from tui_popretr.fs.folders import nearest_folder
from tui_popretr.text import visible

PROGRAM: Final = "tui-popretr"
_SYSTEM_UNITS: Final = "/etc/systemd/system"
#: Seconds between two runs of a timer, at least.
_SHORTEST: Final = 60.0
#: Variables that decide where the user's configuration and journal are.
_FOLDER_VARIABLES: Final = ("XDG_CONFIG_HOME", "XDG_STATE_HOME")


def run(arguments: Namespace) -> int:
    """Print or write the units. Raises ConfigurationError, CannotCreate."""
    file = locate(arguments.config, arguments.naf)
    settings = configuration.read(file, shown=frozenset({Severity.ERROR}))
    system = os.geteuid() == 0 if arguments.manager is None else arguments.manager == "system"
    service = describe(settings, file, system=system, timer=arguments.timer)
    name = unit_name(settings.path)
    folder = _SYSTEM_UNITS if system else user_units()
    units = {os.path.join(folder, f"{name}.service"): service_text(service)}
    if arguments.timer:
        units[os.path.join(folder, f"{name}.timer")] = timer_text(service)
    if arguments.write:
        _write(units, system=system)
        _print_next_steps(name, system=system, timer=arguments.timer)
    else:
        heading = len(units) > 1
        print("\n".join((f"# {path}\n{text}" if heading else text) for path, text in units.items()), end="")
    _print_hints(service, settings)
    return ExitCode.OK


def describe(settings: Settings, file: ConfigurationFile, *, system: bool, timer: bool) -> Service:
    """Return the service of a configuration."""
    folders, program = written_folders(settings), program_words()
    naf = ("--naf", os.path.realpath(file.naf)) if file.naf else ()
    every = max(_SHORTEST, min((each.frequency for each in settings.clients), default=0.0)) if timer else None
    variables = [(name, os.environ.get(name, "")) for name in _FOLDER_VARIABLES] if not system and file.var else []
    return Service(
        program=program,
        arguments=(settings.path, *naf),
        folders=folders,
        name=unit_name(settings.path),
        metrics=metrics_folder(settings, folders),
        reads=(os.path.realpath(program[0]), program[0], settings.path),
        passwords=password_files(settings),
        commands=runs_commands(settings),
        environment=tuple((name, value) for name, value in variables if value),
        system=system,
        user=_owner(folders, settings.path) if system else None,
        gives_files=any(
            isinstance(each.destination, MaildirDestination | FolderDestination) and each.destination.owner is not None
            for each in settings.clients
        ),
        every=every,
    )


def program_words() -> tuple[str, ...]:
    """Return the first words of a command line that starts this program."""
    started, interpreter = os.path.realpath(sys.argv[0]), sys.executable
    for script in (started, os.path.join(os.path.dirname(interpreter), PROGRAM)):
        if os.path.basename(script) == PROGRAM and os.access(script, os.X_OK) and os.path.isfile(script):
            return (script,)
    return interpreter, "-m", "tui_popretr"


def unit_name(path: str) -> str:
    """Return the name of a configuration's units, without the suffix: each configuration has its own."""
    stem = os.path.splitext(os.path.basename(path))[0]
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "_.-") else "_" for each in stem)
    return PROGRAM if plain == PROGRAM else f"{PROGRAM}-{plain}"


def user_units() -> str:
    """Return the folder of a user's own units. Raises ConfigurationError without a home folder."""
    return os.path.join(os.path.dirname(os.path.dirname(own_configuration().path)), "systemd", "user")


def _owner(folders: tuple[str, ...], config: str) -> str | None:
    """Return the user who owns what the service writes to, else the configuration; None for root."""
    for path in (*folders, config):
        uid = os.stat(path if path == config else nearest_folder(path)).st_uid
        if uid != 0:
            try:
                return pwd.getpwuid(uid).pw_name
            except KeyError:
                return str(uid)
    return None


def _write(units: Mapping[str, str], *, system: bool) -> None:
    """Write the units: all or none. Raises CannotCreate if a file exists and differs, or cannot be written."""
    missing = {path: text for path, text in units.items() if not _is_there(path, text, system=system)}
    for path, text in missing.items():
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
        except OSError as problem:
            raise CannotCreate(f"{visible(path)} cannot be written: {describe_os_error(problem)}") from problem
    for path in units:
        print(f"{'written' if path in missing else 'unchanged'}: {visible(path)}")


def _is_there(path: str, text: str, *, system: bool) -> bool:
    """Whether a unit exists with this text. Raises CannotCreate if it exists with another one."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = file.read()
    except FileNotFoundError:
        return False
    except OSError as problem:
        raise CannotCreate(f"{visible(path)} cannot be read: {describe_os_error(problem)}") from problem
    if found != text:
        unit = os.path.basename(path).removesuffix(".service")
        raise CannotCreate(
            f"{visible(path)} exists and differs, so nothing was written",
            advice=f"move your changes to a drop-in ({edit_command(unit, system=system)}), remove the file, and run"
            " this command again",
        )
    return True


def _print_next_steps(name: str, *, system: bool, timer: bool) -> None:
    user = "" if system else "--user "
    print("\nnext:")
    print(f"  systemctl {user}daemon-reload")
    print(f"  systemctl {user}enable --now {name}{'.timer' if timer else ''}")
    if not system:
        print("  loginctl enable-linger       # it runs while you are logged out, too")
        print("  # if access is denied, no polkit is installed; then: sudo loginctl enable-linger $USER")


def _print_hints(service: Service, settings: Settings) -> None:
    """Report on standard error what has to be done before the service can start."""
    missing = [] if service.dynamic else [path for path in service.folders if not os.path.isdir(path)]
    if missing and service.system:
        owner = f"-o {shlex.quote(service.user)} " if service.user else ""
        _hint("these folders must exist before the service starts:")
        for path in missing:
            print(f"  install -d -m 700 {owner}{shlex.quote(path)}", file=sys.stderr)
    deliver = any(isinstance(each.destination, CommandDestination) for each in settings.clients)
    if service.system and (deliver or settings.hooks):
        what = " and ".join(["mda"] * deliver + ["hooks"] * bool(settings.hooks))
        _hint(f"the folders that your {what} may write to are not known: add them with ReadWritePaths= in a drop-in")
    if service.system and service.metrics is not None:
        _hint(f"the service's user must be allowed to write the metrics into {visible(service.metrics, 4096)}")


def _hint(text: str) -> None:
    print(folded(f"{PROGRAM}: {text}", sys.stderr), file=sys.stderr)
