"""What the dashboard remembers from one run to the next: a small file in the user's state folder.

It is of no importance: a file that is damaged, or cannot be read or written, is as good as none.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from tui_popretr.fs.reading import open_regular

_FILE: Final = "dashboard.json"
_MOST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Remembered:
    """The user's choices. `hidden`: for each table, the titles of columns that are not shown."""

    theme: str = ""
    order: str = ""
    exchanges: bool = False
    wrap: bool = True
    times: bool = True
    hidden: dict[str, list[str]] = field(default_factory=dict)


def state_folder() -> str | None:
    """Return the user's state folder for this program; None if the user has none, for example without a home."""
    import platformdirs

    if not os.path.isdir(os.path.expanduser("~")):
        return None
    with contextlib.suppress(RuntimeError):
        folder = platformdirs.user_state_dir("tui-popretr", appauthor=False)
        return folder if os.path.isabs(folder) else None
    return None


def recall(folder: str | None) -> Remembered:
    """Return what is remembered; the usual choices where it is nothing, or of the wrong type."""
    if folder is None:
        return Remembered()
    try:
        with open_regular(os.path.join(folder, _FILE)) as file:
            known = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return Remembered()
    usual = Remembered()
    known = known if isinstance(known, dict) else {}
    right = {each.name: known[each.name] for each in fields(Remembered) if _is_like(known, each.name, usual)}
    return Remembered(**right)


def _is_like(known: dict[str, Any], name: str, usual: Remembered) -> bool:
    value = known.get(name)
    if name != "hidden":
        return type(value) is type(getattr(usual, name))
    return isinstance(value, dict) and all(
        isinstance(titles, list) and all(isinstance(title, str) for title in titles) for titles in value.values()
    )


def remember(folder: str | None, choices: Remembered) -> None:
    """Write the file, if something has changed."""
    if folder is None or recall(folder) == choices:
        return
    path = os.path.join(folder, _FILE)
    part = f"{path}.{secrets.token_hex(4)}.part"
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
                json.dump(asdict(choices), file, indent=1)
            os.replace(part, path)
        except OSError:
            os.unlink(part)
