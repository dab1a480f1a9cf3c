"""The home folder of the user who runs the program, and `~` in paths. A container may have no home folder."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping


class UnknownHomeError(Exception):
    """The home folder is needed and unknown. The text says why."""


def home_folder(environ: Mapping[str, str]) -> str:
    """Return HOME if it is an absolute path, else the home folder of the user database. Raises UnknownHomeError."""
    named = environ.get("HOME", "")
    if os.path.isabs(named):
        return named
    user = os.getuid()
    try:
        found = pwd.getpwuid(user).pw_dir
    except KeyError:
        found = ""
    if os.path.isabs(found):
        return found
    why = f"HOME is '{named}', which is no absolute path," if named else "HOME is not set,"
    raise UnknownHomeError(f"{why} and the user database has no home folder for user id {user}")


def expand(path: str, environ: Mapping[str, str]) -> str:
    """Return a path with a leading `~` or `~user` replaced by the home folder. Raises UnknownHomeError."""
    if not path.startswith("~"):
        return path
    user, slash, rest = path[1:].partition("/")
    if not user:
        try:
            home = home_folder(environ)
        except UnknownHomeError as error:
            raise UnknownHomeError(f"'~' has no meaning here: {error}; set HOME, or write the whole path") from None
    else:
        home = os.path.expanduser("~" + user)
        if not os.path.isabs(home):
            raise UnknownHomeError(f"'~{user}' is not a user of this machine; write ./ in front of such a name")
    return os.path.join(home, rest) if slash else home
