"""Saves what a pane shows: private files, and none is replaced unasked."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable
from datetime import datetime

from tui_popretr.home import UnknownHomeError, expand


def default_path(folder: str, client: str | None, now: datetime) -> str:
    """Return where to save the transcript of a client, of all with None, unless the user says otherwise."""
    name = "all" if client is None else re.sub(r"[^\w.@+-]", "_", client)
    return os.path.join(folder, f"transcript-{name}-{now:%Y%m%d-%H%M%S}.txt")


def save(path: str, lines: Iterable[str], *, replace: bool = False) -> int:
    """Write the lines to a file of mode 0600 and return how many they are.

    Raises FileExistsError where there is one already, unless it is to be replaced, and any other OSError.
    """
    try:
        path = expand(path, os.environ)
    except UnknownHomeError as error:
        raise FileNotFoundError(errno.ENOENT, str(error), path) from None
    target = f"{path}.{secrets.token_hex(4)}.part" if replace else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    count = 0
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
        if replace:
            os.replace(target, path)
    except OSError:
        os.unlink(target)
        raise
    return count
