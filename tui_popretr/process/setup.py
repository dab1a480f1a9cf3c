"""The state of the process before it does anything: signals, private files, descriptors, no core dumps, few pauses."""

from __future__ import annotations

import contextlib
import gc
import resource
import signal
from typing import Final

from tui_popretr.process import children
from tui_popretr.process.descriptors import wait_for_readers

#: As gc.set_threshold takes them. What lives long here has no cycles, and there is much of it: Python's own thresholds
#: would have it all looked through several times a second, each time stopping sessions and screen for 0.1 s and more.
_COLLECTIONS: Final = (10_000, 50, 20)


def settle() -> None:
    """Set signals, umask, limits and standard streams. A limit that the system refuses stays as it is.

    Must be called in the main thread, before another thread is started.
    """
    _settle_signals()
    children.make_private()
    # Passwords are in memory, so a crash must leave no picture of it on disk.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # A connection and a file for each session: the usual 1024 is too few for a large fleet.
    children.raise_open_files()
    wait_for_readers()


def collect() -> None:
    """Look for garbage from now on, as often as suits the program; to be called when its modules are loaded."""
    gc.set_threshold(*_COLLECTIONS)
    gc.enable()


def _settle_signals() -> None:
    """Reset inherited signal settings that would break the program; ignored and blocked signals survive exec.

    With SIGCHLD ignored, the system discards the exit codes of children. With SIGTERM blocked, only SIGKILL would end
    the program. SIGHUP and SIGINT stay ignored if they are (ends.ending_signals).
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
