"""Writes a first configuration and its password file: private, and whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from tui_popretr.cli.init.existing import ExistingConfiguration
from tui_popretr.cli.init.oauth import as_written
from tui_popretr.cli.init.text import NewClient, configuration_text
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import load
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.delivery.folders import Folders, sync_folder
from tui_popretr.errors import CannotCreate, ConfigurationError
from tui_popretr.fs.publishing import publish_by_link
from tui_popretr.secret import Secret


def write(
    path: str,
    client: NewClient,
    typed: Mapping[str, Secret],
    *,
    force: bool,
    existing: ExistingConfiguration | None = None,
) -> None:
    """Write the configuration, and passwords and client secrets that were typed to their files: all or nothing.

    `existing`: add the client to it. The file keeps its content until the new content is durable. Raises
    ConfigurationError if a value cannot be written into a configuration; DeliveryFailed, CannotCreate.
    """
    try:
        data = configuration_text(client).encode()
    except UnicodeEncodeError:
        raise ConfigurationError("a path cannot be written into a configuration: it is not valid UTF-8") from None
    if existing is not None:
        data = existing.with_client(client)
    with ExitStack() as unpublished:
        configuration = unpublished.enter_context(PrivateFile(path, data, like_old=existing is not None))
        _check(configuration.unpublished, client, existing)
        files = [
            unpublished.enter_context(PrivateFile(name, f"{secret.reveal()}\n".encode()))
            for name, secret in typed.items()
        ]
        created: list[str] = []
        try:
            for file in files:
                created += [] if os.path.lexists(file.path) else [file.path]
                file.publish(replace=True)
            if existing is not None:
                existing.assert_unchanged()
            configuration.publish(replace=force or existing is not None)
        except BaseException:
            for name in created:
                with contextlib.suppress(OSError):
                    os.unlink(name)
            raise


def _check(path: str, client: NewClient, existing: ExistingConfiguration | None) -> None:
    """Test whether a configuration is read as it was meant. Raises ConfigurationError."""
    loaded = load(path, var=None if existing is None else existing.file.var)
    if loaded.settings is None:
        errors = "; ".join(problem.message for problem in loaded.problems if problem.severity is Severity.ERROR)
        raise ConfigurationError(f"such a configuration cannot be used: {errors}")
    read = loaded.settings.clients[-1]
    server = replace(read.server, oauth=as_written(read.server.oauth))
    if (read.id, read.recip, server) != (client.id, client.recip, client.server):
        raise ConfigurationError("an answer cannot be written into a configuration: it would be read as something else")
    if existing is not None:
        existing.verify(loaded.settings)


class PrivateFile:
    """A file (0600) under a temporary name in its folder until it is published; removed if it never is.

    `like_old`: with the owner and mode of the file that it replaces. Missing folders are made (0700). Raises
    DeliveryFailed and CannotCreate.
    """

    def __init__(self, path: str, data: bytes, *, like_old: bool = False) -> None:
        self.path = path
        folder, name = os.path.split(os.path.realpath(path))  # a symbolic link stays one
        self._final = os.path.join(folder, name)
        #: The temporary path.
        self.unpublished = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        Folders(folder, (), None).make()
        try:
            descriptor = os.open(self.unpublished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if like_old:
                    _take_over(self._final, descriptor)
                os.fsync(descriptor)
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise delivery_failed(error, "write", path) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._discard()

    def publish(self, *, replace: bool) -> None:
        """Give the file its name, durably. Raises CannotCreate if the name exists, unless `replace`."""
        try:
            if replace:
                os.replace(self.unpublished, self._final)
            else:
                publish_by_link(self.unpublished, self._final)
        except FileExistsError as error:
            raise already_exists(self.path) from error
        except OSError as error:
            raise delivery_failed(error, "write", self.path) from error
        sync_folder(os.path.dirname(self._final))

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.unpublished)


def _take_over(path: str, descriptor: int) -> None:
    """Give a new file the owner and mode of an old one. Raises OSError."""
    old, new = os.stat(path), os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def already_exists(path: str) -> CannotCreate:
    """Return the error for a file that is not to be replaced."""
    return CannotCreate(
        f"{path} exists already",
        advice="--add adds a client to it, --force replaces it; or name another file: init FILE",
    )
