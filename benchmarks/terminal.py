"""A program on a pseudo-terminal: keys go in, and every octet that comes out is counted and timed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

#: What takes longer has failed, seconds.
PATIENCE: Final = 90.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;?<>=]*\$?[A-Za-z~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>])")


class BenchmarkFailed(Exception):
    """The program did not do what is measured."""


class OnTerminal:
    """A running program. `begun` is when it was started, on time.perf_counter."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, reports: int) -> None:
        self.process = process
        self.octets = 0
        self._master = master
        self._reports = reports
        self._told = b""
        self._drawn = bytearray()
        self.begun = time.perf_counter()

    @property
    def text(self) -> str:
        """What was drawn since the last forget(), without escape sequences."""
        return _SEQUENCE.sub(b"", self._drawn).decode("utf-8", "replace")

    @property
    def drawn(self) -> bytes:
        """What was drawn since the last forget()."""
        return bytes(self._drawn)

    def forget(self) -> None:
        """Begin anew to collect what is drawn."""
        self._drawn.clear()

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._master, key.encode())

    def watch(self, seconds: float) -> None:
        """Read what is drawn for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
        """Read until the condition holds; return when it did (time.perf_counter). Raises BenchmarkFailed."""
        end = time.perf_counter() + seconds
        while not condition():
            if not self._read(end - time.perf_counter()):
                raise BenchmarkFailed(f"{what} did not come; on the terminal: {self.text[-1000:]!r}")
        return time.perf_counter()

    def report(self) -> dict[str, Any]:
        """Wait for the next report of benchmarks.measured. Raises BenchmarkFailed."""
        self.wait_for(lambda: b"\n" in self._told, "the report")
        line, _, self._told = self._told.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told

    def _read(self, seconds: float) -> bool:
        """Wait for something to be drawn or reported; False when nothing came, or nothing can come any more."""
        ready = select.select([self._master, self._reports], [], [], max(0.0, seconds))[0]
        came = False
        if self._master in ready:
            try:
                data = os.read(self._master, 1 << 20)
            except OSError:  # the program has ended
                data = b""
            self.octets += len(data)
            self._drawn += data
            came = came or bool(data)
        if self._reports in ready:
            data = os.read(self._reports, 1 << 16)
            self._told += data
            came = came or bool(data)
        return came

    @property
    def cpu(self) -> float:
        """Seconds of processor time that the program has used so far, all threads."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> float:
        """Resident memory now, in MB."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def end(self) -> None:
        """End the program in good order, and read what it still draws."""
        self.process.send_signal(signal.SIGTERM)
        deadline = time.perf_counter() + 15.0
        while self.process.poll() is None and time.perf_counter() < deadline:
            self._read(0.1)
        if self.process.poll() is None:
            raise BenchmarkFailed("the program did not end")


@contextmanager
def on_terminal(command: Sequence[str], *, columns: int, rows: int) -> Iterator[OnTerminal]:
    """Start a command on a terminal of this size; it is killed at the end of the block where it still runs.

    The number of a descriptor for reports is in the environment, as REPORTS.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    reports, theirs = os.pipe()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "NO_COLOR"))}
    # without a state folder: what the user's own dashboard remembers changes nothing
    environment |= {"TERM": "xterm-256color", "REPORTS": str(theirs), "XDG_STATE_HOME": os.devnull}
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        pass_fds=[theirs],
        start_new_session=True,
    )
    running = OnTerminal(process, master, reports)
    os.close(slave)
    os.close(theirs)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        os.close(reports)
