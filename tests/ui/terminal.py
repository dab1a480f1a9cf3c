"""The real program on a pseudo-terminal: keys go in, what it draws comes out, and its settings are looked at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.program.process import environment
from tests.support.waiting import PATIENCE

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;?<>=]*\$?[A-Za-z~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>])")
#: Written by the tests themselves, behind the last that an ended program has written.
_MARKER = re.compile(rb"\x1b]9;all [0-9]+\x07")
#: What a dashboard switches on, and what has to be switched off again.
_MODES = (
    (b"\x1b[?1049h", b"\x1b[?1049l"),
    (b"\x1b[?25l", b"\x1b[?25h"),
    (b"\x1b[?7l", b"\x1b[?7h"),
    (b"\x1b[?1000h", b"\x1b[?1000l"),
    (b"\x1b[?1003h", b"\x1b[?1003l"),
    (b"\x1b[?1004h", b"\x1b[?1004l"),
    (b"\x1b[?2004h", b"\x1b[?2004l"),
)


class OnTerminal:
    """A process with a terminal of its own. `before` are the terminal's settings when it was started."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int) -> None:
        self.process = process
        self.before = termios.tcgetattr(slave)
        self._master, self._slave = master, slave
        self._drawn = bytearray()
        self._changed = threading.Condition()
        self._reads = threading.Event()
        self._reads.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            self._reads.wait()
            try:
                data = os.read(self._master, 65536)
            except OSError:
                data = b""
            with self._changed:
                self._drawn += data
                self._changed.notify_all()
            if not data:
                return

    @property
    def drawn(self) -> bytes:
        """All that was written to the terminal."""
        with self._changed:
            return _MARKER.sub(b"", self._drawn)

    @property
    def text(self) -> str:
        """All that was written, without escape sequences."""
        return _SEQUENCE.sub(b"", self.drawn).decode("utf-8", "replace")

    @property
    def afterwards(self) -> str:
        """What was written when the dashboard's screen had been left."""
        return _SEQUENCE.sub(b"", self.drawn.rpartition(b"\x1b[?1049l")[2]).decode("utf-8", "replace")

    def wait_for(self, text: str) -> None:
        """Wait until the program has written `text`."""
        with self._changed:
            come = self._changed.wait_for(
                lambda: text in _SEQUENCE.sub(b"", self._drawn).decode("utf-8", "replace"), PATIENCE
            )
        assert come, f"{text!r} was not drawn, but: {self.text[-3000:]}"

    def wait_until(self, drawn: Callable[[bytes], bool]) -> None:
        """Wait until what was written is as `drawn` says."""
        with self._changed:
            assert self._changed.wait_for(lambda: drawn(bytes(self._drawn)), PATIENCE), self.text[-3000:]

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stall(self) -> None:
        """Take nothing more from the program, as a line that hangs does, and leave no room for what it draws."""
        self._reads.clear()
        filling = os.open(os.ttyname(self._slave), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            while select.select([], [filling], [], 0.05)[1]:
                with contextlib.suppress(BlockingIOError):
                    os.write(filling, b" " * 4096)
        finally:
            os.close(filling)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._master)
        with contextlib.suppress(OSError):
            os.write(self._slave, b" ")  # a reader that waits still has the other side
        os.close(self._slave)
        self._slave = self._master = -1

    def ended(self, within: float = PATIENCE) -> int:
        """Wait for the end, and for all that was written, and return the exit code."""
        code = self.process.wait(within)
        if self._slave >= 0 and self._reads.is_set():
            self._settle()
        return code

    def insane(self) -> list[str]:
        """Return what is wrong with the terminal: nothing, if all is well."""
        self._settle()
        drawn = self.drawn
        wrong = [repr(on) for on, off in _MODES if drawn.rfind(on) > drawn.rfind(off)]
        after: list[Any] = termios.tcgetattr(self._slave)
        if after != self.before:
            wrong.append("termios")
        return wrong

    def _settle(self) -> None:
        """Wait until the reader has what the process wrote before it ended or stopped."""
        marker = b"\x1b]9;all %d\x07" % len(self._drawn)
        os.write(self._slave, marker)
        with self._changed:
            assert self._changed.wait_for(lambda: marker in self._drawn, PATIENCE)

    def _stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reads.set()
        for descriptor in (self._slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)
        self._reader.join(PATIENCE)


@contextmanager
def on_terminal(
    *arguments: str,
    columns: int = 100,
    rows: int = 30,
    controlling: bool = True,
    patch: str = "",
    term: str = "xterm",
    environ: Mapping[str, str] | None = None,
) -> Iterator[OnTerminal]:
    """Start the program on a terminal; it has ended when the block has.

    `controlling`: the terminal's end brings a SIGHUP. `patch` is Python that is executed in the process beforehand.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    code = f"import sys\n{patch}\nfrom tui_popretr.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, *arguments] if patch else [sys.executable, "-m", "tui_popretr", *arguments]
    if controlling:
        # the session leader's first terminal becomes its controlling one, when it opens it
        command = ["setsid", "--ctty", *command]
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment({"TERM": term, **(environ or {})}),
        start_new_session=not controlling,
    )
    running = OnTerminal(process, master, slave)
    try:
        yield running
    finally:
        running._stop()
