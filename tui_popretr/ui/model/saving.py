"""Saves the lines of a pane to a private file; an existing file is replaced only on request."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable
from datetime import datetime

from tui_popretr.home import UnknownHomeError, expand


def default_path(folder: str, client: str | None, now: datetime) -> str:
    """Return the proposed path for the transcript of a client, of all with None."""
    name = "all" if client is None else re.sub(r"[^\w.@+-]", "_", client)
    return os.path.join(folder, f"transcript-{name}-{now:%Y%m%d-%H%M%S}.txt")


def save(path: str, lines: Iterable[str], *, replace: bool = False) -> int:
    """Write the lines to a file of mode 0600 and return their number.

    Raises FileExistsError if the file exists, unless `replace` is true, and any other OSError.
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
