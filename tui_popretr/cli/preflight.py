"""Finds what a configuration needs and this machine lacks: password files, commands, folders, files."""

from __future__ import annotations

import os
import shutil
import stat
from functools import partial

from tui_popretr.cli import trials
from tui_popretr.cli.timeouts import TIMEOUT, call_all
from tui_popretr.config.model import (
    GMAIL_URL,
    ClientSettings,
    CommandDestination,
    Destination,
    FolderDestination,
    GmailDestination,
    MaildirDestination,
    Settings,
    password_of,
    rejected_folder,
)
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.sources import FromCommand, FromFile, PasswordSource
from tui_popretr.errors import describe_os_error
from tui_popretr.fs.folders import nearest_folder
from tui_popretr.oauth.store import TokenStore
from tui_popretr.text import visible

_GOOGLE = (
    "<gmail> was not tested with Google itself, only with an imitation of its API (docs/gmail.md): watch the first"
    " messages, and keep the mail on the server until then"
)
_SILENT = "a file system does not answer; check its disk or server"


def warnings(settings: Settings, timeout: float = TIMEOUT) -> list[str]:
    """Return a warning for each thing that cannot work now, on this machine and for this user.

    Runs no command, and leaves no file behind. `timeout`: seconds after which a file system that does not answer is
    skipped.
    """
    calls = [partial(_client, client) for client in settings.clients]
    *clients, files = call_all([*calls, partial(_files, settings)], timeout)
    lines = [
        f"client {visible(client.id)}: {trouble}"
        for client, found in zip(settings.clients, clients, strict=True)
        for trouble in ([_SILENT] if found is None else found)
    ]
    return lines + ([f"the journal and the logs: {_SILENT}"] if files is None else files)


def _files(settings: Settings) -> list[str]:
    journal = _file(settings.journal) or folder_trouble(os.path.dirname(settings.journal))
    logs = {"audit log": settings.audit, "transcript": settings.transcript, "trace": settings.trace}
    files = {"journal": journal, **{name: _file(log.path) for name, log in logs.items() if log is not None}}
    if settings.metrics is not None:
        folder = os.path.dirname(settings.metrics.path)
        absent = "" if os.path.isdir(folder) else f"the folder {_name(folder)} does not exist"  # and is never made
        files["file of metrics"] = absent or folder_trouble(folder)
    lines = [f"the {name} cannot be written: {trouble}" for name, trouble in files.items() if trouble]
    lines += [
        f"the hook on {hook.on.value} cannot run: the command {_name(hook.argv[0])} is not found, or cannot be run"
        for hook in settings.hooks
        if shutil.which(hook.argv[0]) is None
    ]
    return lines if journal else lines + trials.of_journal(settings.journal)


def _client(client: ClientSettings) -> list[str]:
    lines: list[str] = []
    secrets = [
        (client.server.password, "password"),
        (password_of(client.destination), "destination's password"),
        *((each.client_secret, "client secret") for each in client.oauths),
    ]
    lines += [trouble for source, name in secrets if (trouble := _secret(source, name))]
    lines += [trouble for each in client.oauths if (trouble := _token(each))]
    if isinstance(client.destination, GmailDestination) and client.destination.url == GMAIL_URL:
        lines.append(_GOOGLE)
    if trouble := next(filter(None, map(folder_trouble, _folders(client.destination))), ""):
        lines.append(f"mail cannot be stored: {trouble}")
    else:
        lines += trials.of_destination(client.destination)
    match client.destination:
        case destination if (path := rejected_folder(destination)) is not None:
            trouble = folder_trouble(path)
            lines += [f"refused messages cannot be saved: {trouble}"] if trouble else trials.of_folder(path)
        case CommandDestination(argv) if shutil.which(argv[0]) is None:
            lines.append(f"mail cannot be delivered: the command {_name(argv[0])} is not found, or cannot be run")
    return lines


def _secret(source: PasswordSource | None, name: str) -> str:
    match source:
        case FromFile(path):
            return _secret_file(path, f"{name} file")
        case FromCommand(argv) if shutil.which(argv[0]) is None:
            return f"the {name} command {_name(argv[0])} is not found, or cannot be run"
    return ""


def _secret_file(path: str, what: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except OSError as problem:
        return f"the {what} {_name(path)} cannot be read: {describe_os_error(problem)}"
    if stat.S_ISDIR(mode):
        return f"the {what} {_name(path)} is a folder"
    if not stat.S_ISREG(mode):
        return f"the {what} {_name(path)} is not a regular file"
    if not os.access(path, os.R_OK):
        return f"the {what} {_name(path)} cannot be read: permission denied"
    if mode & stat.S_IROTH:
        return f"others may read the {what}; run chmod 600 {_name(path)}"
    return ""


def _token(oauth: OAuth) -> str:
    """Return what is wrong with a token file, without reading it."""
    path = TokenStore(oauth.folder).path(oauth.key)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return f"there is no access token yet; log in with: {visible(oauth.login_command, 4096)}"
    except OSError as problem:
        return f"the token file {_name(path)} cannot be read: {describe_os_error(problem)}"
    if status.st_uid != os.geteuid():
        return f"the token file {_name(path)} belongs to another user, who alone can use it"
    if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        return f"the access token cannot be renewed: no permission to write into {_name(os.path.dirname(path))}"
    return ""


def _folders(destination: Destination) -> tuple[str, ...]:
    """Return the folders that messages are written into."""
    match destination:
        case MaildirDestination(path):
            return tuple(os.path.join(path, name) for name in ("tmp", "new", "cur"))
        case FolderDestination(path):
            return (path,)
    return ()


def _file(path: str) -> str:
    """Return why a file cannot be written, "" if it can. Its path may contain the tokens of a log file."""
    if os.path.isdir(path):
        return f"{_name(path)} is a folder"
    if os.path.exists(path):
        return "" if os.access(path, os.W_OK) else f"no permission to write {_name(path)}"
    folder = os.path.dirname(path.partition("%")[0])  # the values of the tokens are known only when the file is opened
    return folder_trouble(folder) if folder else ""


def folder_trouble(path: str) -> str:
    """Return why a folder cannot be written into, or made if it does not exist; "" if it can."""
    nearest = nearest_folder(path)
    if not os.path.isdir(nearest):
        return f"{_name(nearest)} is not a folder"
    if os.access(nearest, os.W_OK | os.X_OK):
        return ""
    if nearest == path:
        return f"no permission to write into the folder {_name(path)}"
    return f"the folder {_name(path)} cannot be made: no permission to write into {_name(nearest)}"


def _name(path: str) -> str:
    return visible(path, 4096)
