"""The terminal under the dashboard: a driver that outlives its loss, and the way back to a sane terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import termios
from collections.abc import Iterable
from typing import Any, Final, TextIO

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

#: A lost terminal is noticed so often, seconds.
_WATCH: Final = 0.25
#: Reports of mouse, focus, paste and size off, keyboard protocol off; wrapping and cursor on; the main screen.
_SANE: Final = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[?2026l"
    b"\x1b[<u\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"
)


def output() -> TextIO | None:
    """Return the stream that a dashboard can be drawn on, None without a terminal."""
    if sys.__stdin__ is None or not sys.__stdin__.isatty():
        return None
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and stream.isatty():
            return stream
    return None


class Terminal(LinuxDriver):
    """Draws on whichever of standard output and error is the terminal; a terminal that is lost ends the app quietly."""

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None):
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._out = _Output(output() or sys.stderr)
        self._file = self._out  # type: ignore[assignment]  # all that the driver asks of it is there
        self._watcher: asyncio.Task[None] | None = None

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._watcher = self._loop.create_task(self._watch())

    def _sigcont_application(self, *_: object) -> None:
        # Textual takes every SIGCONT for the end of a SIGTSTP. After a mere SIGSTOP the terminal is still in use; set
        # up a second time it would lose its settings, and leave a thread behind that the process waits for.
        if self._auto_restart and not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()

    def run_input_thread(self) -> None:
        try:
            super().run_input_thread()
        except OSError:
            self._out.lost = True

    async def _watch(self) -> None:
        hangup = select.poll()
        hangup.register(self.fileno, 0)  # POLLHUP and POLLERR come unasked
        while not self._out.lost and not hangup.poll(0):  # noqa: ASYNC110 - a hang-up wakes nobody
            await asyncio.sleep(_WATCH)
        self._out.lost = True
        self._app.exit(0)

    def stop_application_mode(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        super().stop_application_mode()


class _Output:
    """A terminal's writing side that never fails: after its loss everything is swallowed."""

    def __init__(self, stream: TextIO) -> None:
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._parts: list[bytes] = []
        self.lost = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._parts.append(text.encode(self._encoding, "replace"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        data, self._parts = memoryview(b"".join(self._parts)), []
        while data and not self.lost:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                os.set_blocking(self._fd, True)  # somebody who shares the terminal made it so
            except OSError:
                self.lost = True


class Sanity:
    """The terminal's settings as they were before the dashboard."""

    def __init__(self) -> None:
        stream = output()
        self._fd = None if stream is None else stream.fileno()
        self._attributes = None
        if self._fd is not None:
            with contextlib.suppress(termios.error):
                self._attributes = termios.tcgetattr(self._fd)

    def restore(self) -> None:
        """Make the terminal sane without the driver's help, and without ever waiting for it."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError, termios.error):
            if self._attributes is not None:
                termios.tcflush(self._fd, termios.TCIFLUSH)
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
        with contextlib.suppress(OSError):
            os.set_blocking(self._fd, False)
            os.write(self._fd, _SANE)
        with contextlib.suppress(OSError):
            os.set_blocking(self._fd, True)
