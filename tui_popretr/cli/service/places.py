"""The folders that a configuration's service writes to, and the password files that it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from tui_popretr.config.model import (
    CommandDestination,
    FolderDestination,
    MaildirDestination,
    Settings,
    password_of,
    rejected_folder,
)
from tui_popretr.config.paths import NO_SOCKET, STANDARD_STREAMS
from tui_popretr.config.sources import FromCommand, FromFile, PasswordSource


def written_folders(settings: Settings) -> tuple[str, ...]:
    """Return the folders that the program writes to, sorted, without those that lie in another one."""
    return outermost(_written(settings))


def _written(settings: Settings) -> Iterator[str]:
    yield settings.paths.var
    yield settings.paths.tmp
    yield os.path.dirname(settings.journal)
    if settings.control_socket != NO_SOCKET:
        yield os.path.dirname(settings.control_socket)
    for log in (settings.audit, settings.transcript, settings.trace):
        if log is not None and log.path not in STANDARD_STREAMS:
            yield os.path.dirname(log.path.partition("%")[0])  # the part without the tokens of times
    for client in settings.clients:
        match client.destination:
            case MaildirDestination(path) | FolderDestination(path):
                yield path
        if (rejected := rejected_folder(client.destination)) is not None:
            yield rejected


def metrics_folder(settings: Settings, folders: Iterable[str]) -> str | None:
    """Return the folder of the metrics' file, unless it lies in one of `folders`: another program's user may own it."""
    if settings.metrics is None:
        return None
    folder = os.path.dirname(settings.metrics.path)
    return None if any(is_within(folder, each) for each in folders) else folder


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths, sorted, without those that are equal to or below another one."""
    found: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.split("/")):
        if not (found and is_within(path, found[-1])):
            found.append(path)
    return tuple(found)


def is_within(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def password_files(settings: Settings) -> tuple[str, ...]:
    """Return the files that can be credentials of systemd: those of passwords that are given as a bare name."""
    files = {source.path for source in _passwords(settings) if isinstance(source, FromFile)}
    return tuple(sorted(path for path in files if os.path.dirname(path) == settings.paths.top))


def runs_commands(settings: Settings) -> bool:
    """Whether commands of the user deliver mail, print passwords, or run as hooks."""
    return (
        bool(settings.hooks)
        or any(isinstance(source, FromCommand) for source in _passwords(settings))
        or any(isinstance(client.destination, CommandDestination) for client in settings.clients)
    )


def _passwords(settings: Settings) -> Iterator[PasswordSource | None]:
    for client in settings.clients:
        yield client.server.password
        yield password_of(client.destination)
        yield from (oauth.client_secret for oauth in client.oauths)
