"""The terminal of this process, and how it is restored without Textual or its driver."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from typing import Final, TextIO

#: Switches off reports of mouse, focus, paste and size, and the keyboard protocol; switches on wrapping, the cursor and
#: the main screen.
_RESET: Final = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[?2026l"
    b"\x1b[<u\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"
)


def output() -> TextIO | None:
    """Return the stream for a dashboard, None without a terminal."""
    if sys.__stdin__ is None or not sys.__stdin__.isatty():
        return None
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and stream.isatty():
            return stream
    return None


class TerminalState:
    """The terminal's settings as they were before the dashboard."""

    def __init__(self) -> None:
        stream = output()
        self._fd = None if stream is None else stream.fileno()
        self._attributes = None
        if self._fd is not None:
            with contextlib.suppress(termios.error):
                self._attributes = termios.tcgetattr(self._fd)

    def _is_ours(self) -> bool:
        """Whether this process has the terminal. Without it, changing the settings stops the process."""
        try:
            return self._fd is not None and os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # the terminal of another session, as in a test, or closed
            return True

    def restore(self) -> None:
        """Restore the settings and reset the modes. Never waits for the terminal."""
        if self._fd is None or not self._is_ours():
            return
        with contextlib.suppress(OSError, termios.error):
            if self._attributes is not None:
                termios.tcflush(self._fd, termios.TCIFLUSH)
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
        with contextlib.suppress(OSError):
            os.set_blocking(self._fd, False)
            os.write(self._fd, _RESET)
        with contextlib.suppress(OSError):
            os.set_blocking(self._fd, True)
