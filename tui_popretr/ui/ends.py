"""How the dashboard is ended from outside: signals, however busy or stuck the screen is.

A handler only writes to a pipe; a thread of its own reads it and acts. So neither a stalled terminal nor a hanging
dashboard keeps the program from ending in time.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final

from tui_popretr.ui.engine_thread import EngineThread
from tui_popretr.ui.terminal import Sanity

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: The process has ended so many seconds after the first signal, whatever hangs (SPEC 3: within 10 s),
_LAST_RESORT: Final = 9.9
#: so many after the engine has,
_AFTER_ENGINE: Final = 2.0
#: and so many after the second signal.
_AT_ONCE: Final = 1.0
_LOOK: Final = 0.1


class Ends:
    """From __enter__ to __exit__, the first signal begins the end and the second one ends at once.

    A second SIGHUP counts for nothing: the system and the shell both send one when a terminal goes.
    """

    def __init__(self, sanity: Sanity, engine: EngineThread) -> None:
        #: The signal that asked for an end at once.
        self.second: int | None = None
        self._sanity = sanity
        self._engine = engine
        self._begun = False
        self._close_screen: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._watch, name="ends", daemon=True)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Ends:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def closes(self, close_screen: Callable[[], object]) -> None:
        """Say how the screen is closed: a function that may be called from any thread."""
        self._close_screen = close_screen
        if self._begun:
            close_screen()

    def begin(self) -> None:
        """The end has begun otherwise: the next signal is the second."""
        self._begun = True

    def _handle(self, number: int, _: FrameType | None) -> None:
        with contextlib.suppress(OSError):  # the pipe is full of signals, or the end is done
            os.write(self._write, bytes([number]))

    def _watch(self) -> None:
        deadline = math.inf
        while time.monotonic() < deadline:
            if not select.select([self._read], [], [], None if deadline == math.inf else _LOOK)[0]:
                if not self._engine.alive:
                    deadline = min(deadline, time.monotonic() + _AFTER_ENGINE)
                continue
            received = os.read(self._read, 1)
            if not received:
                return
            number = received[0]
            if not self._begun:
                self._begun = True
                deadline = time.monotonic() + _LAST_RESORT
                self._engine.end()
                self._close_screen()
            elif number != signal.SIGHUP and self.second is None:
                self.second = number
                deadline = time.monotonic() + _AT_ONCE
                self._engine.cancel()
                self._close_screen()
        self._sanity.restore()
        os._exit(0 if self.second is None else 128 + self.second)
