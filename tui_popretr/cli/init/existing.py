"""A configuration that gets another client."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Self

from tui_popretr.cli.config_path import ConfigurationFile, locate
from tui_popretr.cli.configuration import counts
from tui_popretr.cli.init.insertion import with_client
from tui_popretr.cli.init.text import NewClient, shown
from tui_popretr.config.model import Settings
from tui_popretr.config.problems import Severity
from tui_popretr.config.reader import load
from tui_popretr.errors import CannotCreate, ConfigurationError, describe_os_error
from tui_popretr.fs.reading import read_whole

_LARGEST = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class ExistingConfiguration:
    """A configuration without errors, as it was read."""

    file: ConfigurationFile
    data: bytes
    settings: Settings

    @classmethod
    def read(cls, path: str) -> Self:
        """Read it. Raises ConfigurationError if it has errors or cannot be read."""
        file = locate(path)
        data = _read(path)
        loaded = load(path, var=file.var)
        if loaded.settings is None:
            errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
            raise ConfigurationError(
                f"{shown(path)} cannot be used ({counts(errors)}), so no client is added to it",
                advice="tui-popretr check shows what is wrong",
            )
        return cls(file, data, loaded.settings)

    @property
    def ids(self) -> frozenset[str]:
        """The ids that are taken."""
        return frozenset((*(client.id for client in self.settings.clients), *self.settings.disabled))

    def with_client(self, client: NewClient) -> bytes:
        """Return its octets with another client. Raises ConfigurationError."""
        return with_client(self.data, client)

    def verify(self, settings: Settings) -> None:
        """Raise ConfigurationError if the new settings differ in more than a last client."""
        expected = replace(
            self.settings,
            path=settings.path,
            clients=(*self.settings.clients, *settings.clients[-1:]),
            password_variables=settings.password_variables,
        )
        if settings != expected or not self.settings.password_variables <= settings.password_variables:
            raise ConfigurationError("the client cannot be added: the rest of the file would be read as something else")

    def assert_unchanged(self) -> None:
        """Raise CannotCreate if another program has changed the file since it was read."""
        if _read(self.file.path) != self.data:
            raise CannotCreate(
                f"{shown(self.file.path)} was changed by another program meanwhile; nothing was written",
                advice="run init again",
            )


def _read(path: str) -> bytes:
    try:
        return read_whole(os.path.realpath(path), _LARGEST).data
    except OSError as problem:
        raise ConfigurationError(f"{shown(path)} cannot be read: {describe_os_error(problem)}") from problem
