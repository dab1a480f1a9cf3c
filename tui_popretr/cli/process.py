"""What the process is, before it does anything: private files, enough descriptors, no core dumps."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from io import TextIOWrapper


def settle() -> None:
    """Set umask and limits. A limit that the system does not let us have stays as it is."""
    os.umask(0o077)
    # Passwords are in memory, so a crash must leave no picture of it on disk.
    _limit(resource.RLIMIT_CORE, 0)
    # A connection and a file for each session: the usual 1024 is too few for a large fleet.
    _limit(resource.RLIMIT_NOFILE, None)
    # A name that the terminal's encoding lacks is shown escaped, as Python does on standard error, not died of.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _limit(which: int, soft: int | None) -> None:
    """Set the soft limit, to the hard one where `soft` is None."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (hard if soft is None else soft, hard))
