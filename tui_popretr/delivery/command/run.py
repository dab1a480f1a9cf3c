"""Runs a command: the message on its standard input, the tail of its output kept, and a timeout."""

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

#: Octets of a command's output that are kept: the last ones, which mostly contain the reason.
KEPT: Final = 4096
#: Seconds between SIGTERM and SIGKILL: the time for a command to remove its locks.
GRACE: Final = 0.5
#: Seconds to wait for a command after SIGKILL. One that waits for a dead disk does not end.
_KILL_TIMEOUT: Final = 1.0
#: Seconds between checks whether a command has ended while another process still has its output open.
_POLL_INTERVAL: Final = 0.05
_READ: Final = 64 * 1024
#: Reads of the pipe after a command has ended. Its children may write for ever.
_REST_READS: Final = 16


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command ended."""

    # exit code, or the negative number of the signal that killed it; None: the system did not report it, or (with
    # `stopped`) it did not end after SIGKILL
    code: int | None
    output: bytes  # the tail of standard output and standard error, at most KEPT octets
    stopped: bool = False  # we have stopped it, or tried to


def environment(withheld: Collection[str]) -> dict[str, str]:
    """Return this process's environment for commands, without the variables `withheld`.

    PATH, HOME, USER and LOGNAME are added if they are missing, as in a service: delivery programs need them.
    """
    found = {name: value for name, value in os.environ.items() if name not in withheld}
    found.setdefault("PATH", os.defpath)
    with suppress(KeyError):  # a user without an entry in passwd, as in some containers
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
    """Run a command until it ends. Stop it after `timeout` seconds, or when `stopped` returns True. Blocking.

    It runs in its own session, without a terminal and without our signals. Its children may outlive it, unless it is
    stopped. Standard input is the file itself, so the command never gets an incomplete message, whatever happens to
    this process. Raises OSError if it cannot be started.
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
        self._open = True  # whether a process still has the output open

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
        # A process that has ended has closed its output. It is reaped only after the last signal.
        while self._open and time.monotonic() < end:
            self._read(end - time.monotonic())
        children.signal_group(self._process.pid, signal.SIGKILL)
        code = children.wait(self._process, _KILL_TIMEOUT)
        self._read_rest()
        return CommandEnd(code, self._tail, stopped=True)

    def _listen(self) -> None:
        """Read its output, or wait for its end if the output is closed."""
        if self._open:
            self._read(_POLL_INTERVAL)
        else:
            children.wait(self._process, _POLL_INTERVAL)

    def _read_rest(self) -> None:
        for _ in range(_REST_READS):
            if not (self._open and self._read(0.0)):
                return

    def _read(self, patience: float) -> bool:
        """Read the output that comes within `patience` seconds; return whether there was any."""
        if not self._poll.poll(max(0.0, patience) * 1000):
            return False
        data = os.read(self._output, _READ)
        self._tail = (self._tail + data)[-KEPT:]
        self._open = bool(data)
        return self._open
