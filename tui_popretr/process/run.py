"""Runs a user's command from a task: input, the tail of its output, a deadline; a cancel kills it and its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

import trio

from tui_popretr.process import children
from tui_popretr.process.children import ChildProcesses

#: Octets of the output that are kept: the last ones, which mostly contain the reason of a failure.
KEPT: Final = 4096
#: Seconds between SIGTERM and SIGKILL at the deadline.
GRACE: Final = 0.5
#: Seconds to wait for a command after SIGKILL. One that waits for a dead disk does not end.
_KILL_TIMEOUT: Final = 1.0
#: Reads of the pipe after a command has ended. Its children may keep writing.
_REST_READS: Final = 16
#: Seconds between checks whether a command has ended, where the system does not report it.
_POLL_INTERVAL: Final = 0.05
_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a command ended.

    `code`: the exit code, or the negative number of the signal that killed it; None if the system did not report it, or
    the command did not end after SIGKILL. `output`: the tail of standard output and standard error.
    """

    code: int | None
    output: bytes
    timed_out: bool = False


async def run_process(
    running: ChildProcesses,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    environ: Mapping[str, str],
    timeout: float,
    kept: int = KEPT,
) -> ProcessEnd:
    """Run a command until it ends; stop it and its children after `timeout` seconds. Raises OSError at its start.

    It is registered in `running` before it starts, so that an immediate end of the program kills it. It has a session
    of its own: no terminal, and no signals meant for this program. Standard input is a complete file, so a command
    never gets a part of it. A cancel kills it and its children. Its children may outlive a command that ends by itself.
    """
    limiter = trio.CapacityLimiter(1)

    def start() -> subprocess.Popen[bytes]:
        with _file_of(stdin) as file:
            return running.start(argv, stdin=file, stderr=subprocess.STDOUT, environ=environ)

    process = await trio.to_thread.run_sync(start, limiter=limiter)
    run = _Run(process, kept)
    try:
        return await run.wait(timeout)
    finally:
        run.close()
        running.unregister(process.pid)


def _file_of(data: bytes) -> IO[bytes]:
    """Return an open file with these octets, to be read from its beginning."""
    if hasattr(os, "memfd_create"):  # Linux
        file: IO[bytes] = open(os.memfd_create("stdin"), "w+b")  # noqa: SIM115
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    file.flush()
    file.seek(0)
    return file


class _Run:
    def __init__(self, process: subprocess.Popen[bytes], kept: int) -> None:
        assert process.stdout is not None
        self._process = process
        self._kept = kept
        self._output = process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._tail = b""

    async def wait(self, timeout: float) -> ProcessEnd:
        timed_out = False
        try:
            with trio.move_on_after(timeout) as deadline:
                await self._until_ended()
            if deadline.cancelled_caught:
                timed_out = True
                await self._stop()
        except BaseException:
            children.signal_group(self._process.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_TIMEOUT):
                await self._ended()
            raise
        self._read_rest()
        return ProcessEnd(self._code(), self._tail, timed_out)

    def close(self) -> None:
        """Reap the command, and close its output."""
        self._code()
        self._output.close()

    async def _until_ended(self) -> None:
        """Read the output until the command itself has ended: another process may keep the output open."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            await self._ended()
            nursery.cancel_scope.cancel()

    async def _stop(self) -> None:
        """Stop the command and its children. It is reaped only after the last signal."""
        children.signal_group(self._process.pid, signal.SIGTERM)
        with trio.move_on_after(GRACE):
            await self._until_ended()
        children.signal_group(self._process.pid, signal.SIGKILL)
        with trio.move_on_after(_KILL_TIMEOUT):
            await self._ended()

    async def _read(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._output)
            if not self._read_piece():
                return
            await trio.lowlevel.checkpoint()

    def _read_piece(self) -> bool:
        """Read what is there; return whether there was something."""
        try:
            data = os.read(self._output.fileno(), _READ)
        except BlockingIOError:
            return False
        self._tail = (self._tail + data)[-self._kept :]
        return bool(data)

    def _read_rest(self) -> None:
        for _ in range(_REST_READS):
            if not self._read_piece():
                return

    async def _ended(self) -> None:
        """Wait until the command has ended. It is not reaped: its process id stays in use."""
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # another system than Linux, an old kernel, or the system has discarded it
            while self._runs():  # noqa: ASYNC110 - there is no event
                await trio.sleep(_POLL_INTERVAL)
            return
        try:
            await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)

    def _runs(self) -> bool:
        """Whether the command runs, without reaping it where the system can tell."""
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def _code(self) -> int | None:
        with contextlib.suppress(ChildProcessError):
            return children.exit_code(self._process)
        return None
