"""Which configuration file is meant, and the var folder that goes with the usual places."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Final

from tui_popretr.errors import ConfigurationError, describe_os_error
from tui_popretr.home import UnknownHomeError, home_folder
from tui_popretr.text import visible

_NAME: Final = "tui-popretr"
_FILE: Final = "tui-popretr.xml"
_SYSTEM_FILE: Final = "/etc/tui-popretr.xml"
_SYSTEM_VAR: Final = "/var/lib/tui-popretr"


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A configuration file.

    `var` is the default of its var folder, None: that of any other file. `naf` is the naf.xml that goes with it, None:
    the one beside it, if any.
    """

    path: str
    var: str | None = None
    naf: str | None = None


def own_place() -> ConfigurationFile:
    """Return the user's own configuration, which need not be there. Raises ConfigurationError: no home folder."""
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
        why = f"HOME is '{visible(os.environ.get('HOME', ''), 200)}', which is no absolute path"
    except UnknownHomeError as error:
        why = str(error)
    raise ConfigurationError(
        f"there is no configuration folder of the user: {why}",
        advice="set HOME, or name the configuration: tui-popretr check CONFIG",
    )


def usual_places() -> tuple[ConfigurationFile, ...]:
    """Return where a configuration is looked for when none is named, in order."""
    system = ConfigurationFile(_SYSTEM_FILE, _SYSTEM_VAR)
    try:
        return own_place(), system
    except ConfigurationError:
        return (system,)


def locate(path: str | None, naf: str | None = None) -> ConfigurationFile:
    """Return the configuration file that the command line means by `path`, with the naf.xml that it names.

    A usual place that is named outright has the same var as when it is found: another var would be another journal, and
    all mail would come again. Raises ConfigurationError where none is named and none found, or the named one is not
    there.
    """
    if path is None:
        places = usual_places()
        for place in places:
            if os.path.lexists(place.path):
                return replace(place, naf=naf)
        own = own_place()
        raise ConfigurationError(
            f"no configuration: there is neither {own.path} nor {_SYSTEM_FILE}",
            advice="make one with: tui-popretr init; or name the one that you have: tui-popretr check CONFIG",
        )
    try:
        os.stat(path)
    except OSError as problem:
        reason = describe_os_error(problem)
        raise ConfigurationError(f"the configuration {visible(path, 4096)} cannot be read: {reason}") from problem
    if os.path.basename(os.path.realpath(path)) == _FILE:
        for place in usual_places():
            if os.path.realpath(place.path) == os.path.realpath(path):
                return ConfigurationFile(path, place.var, naf)
    return ConfigurationFile(path, naf=naf)
