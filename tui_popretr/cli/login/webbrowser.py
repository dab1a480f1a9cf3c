"""Opens an address in a browser with windows, if this machine has one. Browsers in a terminal are not started.

Python's module of this name starts browsers in the terminal, too, in which the login is shown.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

#: They run on after the login, so they are neither waited for nor ended.
_started: Final[list[subprocess.Popen[bytes]]] = []


def browser_command(address: str, environ: Mapping[str, str], platform: str = sys.platform) -> list[str]:
    """Return the command that opens an address; empty if there is none. $BROWSER is a list, as everywhere."""
    if chosen := environ.get("BROWSER", "").partition(os.pathsep)[0]:
        try:
            words = shlex.split(chosen)
        except ValueError:
            return []
        if any("%s" in word for word in words):
            return [word.replace("%s", address) for word in words]
        return [*words, address] if words else []
    if platform == "darwin":
        return ["open", address]
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ["xdg-open", address]
    return []


def open_address(address: str) -> bool:
    """Start the browser with an address; return whether there is one."""
    command = browser_command(address, os.environ)
    if not command or shutil.which(command[0]) is None:
        return False
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's browser, without a shell
            command, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
    except OSError:
        return False
    _started.append(process)
    return True
