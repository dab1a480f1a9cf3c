"""The user's commands that run now: each with its children in a process group, so that all of them can be killed.

From before its start a command is known here. Else an end that waits for nothing could come between start and entry,
and leave the command behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final

#: Seconds that an end waits for a command that is just being started: longer only where a dead disk has its program.
_PATIENCE: Final = 0.1

# Until make_private(): for subprocess.Popen -1 means the umask of this process.
_umask = -1
_groups: set[int] = set()
_starts: set[object] = set()
_changed = threading.Condition()
_no_more = threading.Event()


def make_private() -> None:
    """Set the umask to 077. Commands keep the one that the program was started with."""
    global _umask
    _umask = os.umask(0o077)


def umask() -> int:
    """Return the umask for commands, as subprocess.Popen takes it."""
    return _umask


def start(
    argv: Sequence[str], *, stdin: IO[bytes] | int, stderr: int, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command and enlist it, whatever happens to the thread that asked for it. Blocking, in any thread.

    It leads a session of its own: no terminal, no signal of ours. Its standard output is a pipe. Raises OSError where
    it cannot be started. dismiss() is the caller's.
    """
    with _starting():
        process = subprocess.Popen(  # noqa: S603 - it is the user's own, and no shell sees it
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environ,
            start_new_session=True,
            umask=umask(),
            bufsize=0,
        )
        enlist(process.pid)
    return process


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """In the block a command is started and enlisted; kill_commands() waits for its end."""
    start = object()
    with _changed:
        _starts.add(start)
    try:
        yield
    finally:
        with _changed:
            _starts.discard(start)
            _changed.notify_all()


def enlist(group: int) -> None:
    """A command was started as the leader of a process group (start_new_session). Any thread."""
    _groups.add(group)
    if _no_more.is_set():
        signal_group(group, signal.SIGKILL)


def dismiss(group: int) -> None:
    """It has ended, or what is left of it may run on. Any thread."""
    _groups.discard(group)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a command and its children; what has ended, or may not be signalled, is passed over.

    The leader must not have been reaped: until then its number is surely its own.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter for a command that is set-user-id
        os.killpg(group, number)


def kill_commands() -> None:
    """Kill all of them, and those that are being started: for an end that waits for nothing. Any thread."""
    _no_more.set()
    with _changed:
        _changed.wait_for(lambda: not _starts, _PATIENCE)
    for group in tuple(_groups):
        signal_group(group, signal.SIGKILL)
