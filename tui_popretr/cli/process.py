"""What the process is, before it does anything: private files, enough descriptors, no core dumps, few pauses."""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
from io import TextIOWrapper
from typing import Final

from tui_popretr import processes

#: As gc.set_threshold takes them. What lives long here has no cycles, and there is much of it: Python's own thresholds
#: would have it all looked through several times a second, each time stopping sessions and screen for 0.1 s and more.
_COLLECTIONS: Final = (10_000, 50, 20)


def settle() -> None:
    """Set umask and limits. A limit that the system does not let us have stays as it is."""
    processes.make_private()
    # Passwords are in memory, so a crash must leave no picture of it on disk.
    _limit(resource.RLIMIT_CORE, 0)
    # A connection and a file for each session: the usual 1024 is too few for a large fleet.
    _limit(resource.RLIMIT_NOFILE, None)
    # A name that the terminal's encoding lacks is shown escaped, as Python does on standard error, not died of.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def collect() -> None:
    """Look for garbage from now on, as often as suits the program; to be called when its modules are loaded."""
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()


def _limit(which: int, soft: int | None) -> None:
    """Set the soft limit, to the hard one where `soft` is None."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (hard if soft is None else soft, hard))
