"""The size of a terminal: as the terminal reports it (TIOCGWINSZ), not COLUMNS and LINES.

A shell or a script may have exported those for another terminal, and they do not change when this one is resized. They
are used only if the terminal does not know its size, as on a serial line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_DEFAULT: Final = (80, 24)


def terminal_size(descriptor: int, environ: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Return (columns, rows) of the terminal behind a descriptor, each at least 1.

    A value that the terminal does not know is taken from COLUMNS or LINES, else from 80x24.
    """
    environ = os.environ if environ is None else environ
    try:
        reported = tuple(os.get_terminal_size(descriptor))
    except (OSError, ValueError):
        reported = (0, 0)
    columns, rows = (
        size or _number(environ.get(name, "")) or default
        for size, name, default in zip(reported, ("COLUMNS", "LINES"), _DEFAULT, strict=True)
    )
    return columns, rows


def _number(text: str) -> int:
    """Return a plausible size, 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
