"""The user's commands: each runs in a process group of its own, so that it can be killed with its children."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final

#: Seconds that kill_all() waits for commands that are being started. A start takes longer only on a disk that hangs.
_START_TIMEOUT: Final = 0.1
#: Descriptors that can be opened while the limit is lowered: this number, or a quarter of the limit.
_ROOM: Final = 256
#: Stands for an exit code that the system has discarded. Real exit codes are smaller.
_LOST: Final = 1000

# The umask and the limit of open files belong to the operating system's process, so their old values are module-wide.
# -1 until make_private(); for subprocess.Popen that is the umask of this process.
_umask = -1
# None until raise_open_files(): commands have the limit of this process.
_open_files: tuple[int, int] | None = None
_lowered = 0  # the number of starts that need the lower limit now
_limit_changes = threading.Lock()


class ChildProcesses:
    """The commands that run. Methods may be called in any thread.

    A command is known here before it is started. Otherwise the program could end between its start and its
    registration, and leave it running.
    """

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._starts: set[object] = set()
        self._changed = threading.Condition()
        self._closed = threading.Event()

    def start(
        self, argv: Sequence[str], *, stdin: IO[bytes] | int, stderr: int, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command and register it in one step. Blocking.

        It has its own session: no terminal, and no signals meant for this program. Its standard output is a pipe.
        Raises OSError if it cannot be started. The caller must call unregister().
        """
        with self._starting(), _own_limit():
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
            self.register(process.pid)
        return process

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """In this block a command is started and registered; kill_all() waits for the end of the block."""
        start = object()
        with self._changed:
            self._starts.add(start)
        try:
            yield
        finally:
            with self._changed:
                self._starts.discard(start)
                self._changed.notify_all()

    def register(self, group: int) -> None:
        """Add a process group. After kill_all() it is killed at once."""
        self._groups.add(group)
        if self._closed.is_set():
            signal_group(group, signal.SIGKILL)

    def unregister(self, group: int) -> None:
        """Remove a process group: its command has ended, or what is left of it may keep running."""
        self._groups.discard(group)

    def kill_all(self) -> None:
        """Kill all commands, also those that are being started, for an immediate end of the program."""
        self._closed.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._starts, _START_TIMEOUT)
        for group in tuple(self._groups):
            signal_group(group, signal.SIGKILL)


def make_private() -> None:
    """Set the umask to 077. Commands keep the one that the program was started with."""
    global _umask
    _umask = os.umask(0o077)


def umask() -> int:
    """Return the umask for commands, as subprocess.Popen takes it."""
    return _umask


def raise_open_files() -> None:
    """Raise the limit of open files as far as the system allows. Commands keep the one that the program started with.

    Some programs close every descriptor up to the limit when they start, and some use select(), which fails for high
    numbers.
    """
    global _open_files
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            _open_files = soft, hard


@contextlib.contextmanager
def _own_limit() -> Iterator[None]:
    """In this block, a started command gets the limit of open files that this program was started with.

    A child inherits the limit at fork, so the limit of this process is lowered for the start. Descriptors above it stay
    open, and new ones get the lowest numbers. If those are nearly used up, the limit is not lowered, and the command
    gets the raised one. docs/decisions/0016-the-process.md has the alternatives that were rejected.
    """
    global _lowered
    if _open_files is None or not _has_room(_open_files[0]):
        yield
        return
    soft, hard = _open_files
    with _limit_changes:
        _lowered += 1
        _set_open_files(soft, hard)
    try:
        yield
    finally:
        with _limit_changes:
            _lowered -= 1
            if not _lowered:
                _set_open_files(hard, hard)


def _has_room(limit: int) -> bool:
    """Whether the lowest free descriptor is well below a limit."""
    try:
        lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    os.close(lowest)
    return limit == resource.RLIM_INFINITY or lowest + min(_ROOM, limit // 4) <= limit


def _set_open_files(soft: int, hard: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of a command, the negative number of the signal that killed it, None while it runs.

    Raises ChildProcessError if the system has discarded the code, as it does while SIGCHLD is ignored:
    subprocess.Popen returns 0 then.
    """
    if process.returncode is None and hasattr(os, "waitid"):  # macOS has it since Python 3.13
        try:
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
        except ChildProcessError:
            process.returncode = _LOST
    if process.returncode == _LOST:
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    return process.poll()


def signal_group(group: int, number: int) -> None:
    """Send a signal to a command and its children. Does nothing if they have ended or may not be signalled.

    The leader must not have been reaped, because its number could belong to another process then.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter for a command that is set-user-id
        os.killpg(group, number)
