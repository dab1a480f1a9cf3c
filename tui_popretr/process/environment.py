"""The environment for the user's commands."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection
from contextlib import suppress


def environment(withheld: Collection[str]) -> dict[str, str]:
    """Return this process's environment for commands, without the variables `withheld`.

    PATH, HOME, USER and LOGNAME are added if they are missing, as in a service: delivery programs need them.
    """
    found = {name: value for name, value in os.environ.items() if name not in withheld}
    found.setdefault("PATH", os.defpath)
    with suppress(KeyError):  # a user without an entry in passwd, as in some containers
        user = pwd.getpwuid(os.geteuid())
        for name, value in (("HOME", user.pw_dir), ("USER", user.pw_name), ("LOGNAME", user.pw_name)):
            found.setdefault(name, value)
    return found
