"""Running a command: the message on its standard input, an end of what it says kept, and ended with its children when
it takes too long."""

from __future__ import annotations

import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from tui_popretr.process import children
from tui_popretr.process.children import ChildProcesses

#: Octets that are kept of what a command says: the last ones, where the reason mostly is.
KEPT: Final = 4096
#: Seconds between SIGTERM, which lets it remove its locks, and SIGKILL.
GRACE: Final = 0.5
#: Seconds that a command that was killed may take to end: one that the system has in a dead disk's hands does not.
_KILL_TIMEOUT: Final = 1.0
#: How often it is looked whether a command has ended whose output somebody else still has open, seconds.
_POLL_INTERVAL: Final = 0.05
_READ: Final = 64 * 1024
#: What is in the pipe when a command has ended is read, but not what its children add for ever.
_REST_READS: Final = 16


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command ended."""

    # exit code, or the negative number of the signal that killed it. None: the system did not report it, or, with
    # `stopped`, not even SIGKILL has ended it
    code: int | None
    output: bytes  # the last of what it said on standard output and standard error, at most KEPT octets
    stopped: bool = False  # we have ended it, or tried to


def environment(withheld: Collection[str]) -> dict[str, str]:
    """Return this process's environment for commands, without the variables `withheld`.

    PATH, HOME, USER and LOGNAME, without which delivery programs cannot work, are added where they are missing, as in
    a service.
    """
    found = {name: value for name, value in os.environ.items() if name not in withheld}
    found.setdefault("PATH", os.defpath)
    with suppress(KeyError):  # a user without an entry, as in some containers
        user = pwd.getpwuid(os.geteuid())
        for name, value in (("HOME", user.pw_dir), ("USER", user.pw_name), ("LOGNAME", user.pw_name)):
            found.setdefault(name, value)
    return found


def run(
    running: ChildProcesses,
    argv: Sequence[str],
    stdin: IO[bytes],
    environ: Mapping[str, str],
    *,
    timeout: float,
    stopped: Callable[[], bool],
) -> CommandEnd:
    """Run a command to its end, or end it, after `timeout` seconds or when `stopped` says so. Blocking.

    It has a session of its own: no terminal, no signal of ours. Its children may outlive it, unless it is stopped.
    Standard input is the file itself: whatever happens to this process, the command never takes a part for the whole.
    Raises OSError where it cannot be started.
    """
    process = running.start(argv, stdin=stdin, stderr=subprocess.STDOUT, environ=environ)
    try:
        return _Run(process, time.monotonic() + timeout, stopped).wait()
    finally:
        running.unregister(process.pid)
        assert process.stdout is not None
        process.stdout.close()


class _Run:
    def __init__(self, process: subprocess.Popen[bytes], deadline: float, stopped: Callable[[], bool]) -> None:
        assert process.stdout is not None
        self._process = process
        self._deadline = deadline
        self._stopped = stopped
        self._output = process.stdout.fileno()
        self._tail = b""
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._open = True  # whether anybody can still say something

    def wait(self) -> CommandEnd:
        try:
            while (code := children.exit_code(self._process)) is None:
                if self._stopped() or time.monotonic() >= self._deadline:
                    return self._stop()
                self._listen()
        except ChildProcessError:
            code = None
        self._read_rest()
        return CommandEnd(code, self._tail)

    def _stop(self) -> CommandEnd:
        children.signal_group(self._process.pid, signal.SIGTERM)
        end = time.monotonic() + GRACE
        # Who has ended has closed its output. It is not reaped before the last signal is sent.
        while self._open and time.monotonic() < end:
            self._read(end - time.monotonic())
        children.signal_group(self._process.pid, signal.SIGKILL)
        code = children.wait(self._process, _KILL_TIMEOUT)
        self._read_rest()
        return CommandEnd(code, self._tail, stopped=True)

    def _listen(self) -> None:
        """Take what it says; or, where it can say nothing any more, wait for its end."""
        if self._open:
            self._read(_POLL_INTERVAL)
        else:
            children.wait(self._process, _POLL_INTERVAL)

    def _read_rest(self) -> None:
        for _ in range(_REST_READS):
            if not (self._open and self._read(0.0)):
                return

    def _read(self, patience: float) -> bool:
        """Take what is said within so many seconds; return whether there was something."""
        if not self._poll.poll(max(0.0, patience) * 1000):
            return False
        data = os.read(self._output, _READ)
        self._tail = (self._tail + data)[-KEPT:]
        self._open = bool(data)
        return self._open
