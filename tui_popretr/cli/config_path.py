"""Finds the configuration file, and the var folder of the usual ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Final

from tui_popretr.errors import ConfigurationError, NoConfiguration, describe_os_error
from tui_popretr.home import UnknownHomeError, home_folder
from tui_popretr.text import visible

_NAME: Final = "tui-popretr"
_FILE: Final = "tui-popretr.xml"
_SYSTEM_FILE: Final = "/etc/tui-popretr.xml"
_SYSTEM_VAR: Final = "/var/lib/tui-popretr"


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A configuration file.

    `var`: the default of its var folder; None: a folder `var` next to the file. `naf`: its naf.xml; None: the one in
    the same folder, if any.
    """

    path: str
    var: str | None = None
    naf: str | None = None


def own_configuration() -> ConfigurationFile:
    """Return the user's own configuration, which may not exist. Raises ConfigurationError without a home folder."""
    import platformdirs

    try:
        folder = platformdirs.user_config_dir(_NAME, appauthor=False)
        state = platformdirs.user_state_dir(_NAME, appauthor=False)
    except RuntimeError:  # older versions return the path with its ~ instead, or a relative one
        folder = state = ""
    if os.path.isabs(folder) and os.path.isabs(state):
        return ConfigurationFile(os.path.join(folder, _FILE), state)
    try:
        home_folder(os.environ)
        why = f"HOME is '{visible(os.environ.get('HOME', ''), 200)}', which is not an absolute path"
    except UnknownHomeError as error:
        why = str(error)
    raise ConfigurationError(
        f"the user has no configuration folder: {why}",
        advice="set HOME, or name the configuration: tui-popretr check CONFIG",
    )


def usual_configurations() -> tuple[ConfigurationFile, ...]:
    """Return the configurations to use if none is named, in order."""
    system = ConfigurationFile(_SYSTEM_FILE, _SYSTEM_VAR)
    try:
        return own_configuration(), system
    except ConfigurationError:
        return (system,)


def locate(path: str | None, naf: str | None = None) -> ConfigurationFile:
    """Return the configuration file for the arguments CONFIG and --naf.

    A usual configuration has the same var folder whether it is named or found: another var folder would mean another
    journal, and all mail would be retrieved again. Raises ConfigurationError if the file does not exist, and
    NoConfiguration if none is named and none is found.
    """
    if path is None:
        for file in usual_configurations():
            if os.path.lexists(file.path):
                return replace(file, naf=naf)
        own = own_configuration()
        raise NoConfiguration(f"no configuration: neither {own.path} nor {_SYSTEM_FILE} exists")
    try:
        os.stat(path)
    except OSError as problem:
        reason = describe_os_error(problem)
        raise ConfigurationError(f"the configuration {visible(path, 4096)} cannot be read: {reason}") from problem
    if os.path.basename(os.path.realpath(path)) == _FILE:
        for file in usual_configurations():
            if os.path.realpath(file.path) == os.path.realpath(path):
                return ConfigurationFile(path, file.var, naf)
    return ConfigurationFile(path, naf=naf)
