"""The first steps of the process: signals, umask, limits, standard streams, no core dumps."""

from __future__ import annotations

import contextlib
import resource
import signal

from tui_popretr.process import children
from tui_popretr.process.descriptors import wait_for_readers


def settle() -> None:
    """Set signals, umask, limits and standard streams. A limit that the system refuses stays as it is.

    Must be called in the main thread, before another thread is started.
    """
    _settle_signals()
    children.make_private()
    # Passwords are in memory, so a crash must not write it to disk.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # A connection and a file for each session: the usual 1024 is too few for a large fleet.
    children.raise_open_files()
    wait_for_readers()


def _settle_signals() -> None:
    """Reset inherited signal settings that would break the program; ignored and blocked signals survive exec.

    With SIGCHLD ignored, the system discards the exit codes of children. With SIGTERM blocked, only SIGKILL would end
    the program. SIGHUP and SIGINT stay ignored if they are (signals.ending_signals).
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
