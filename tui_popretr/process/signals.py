"""How the process is ended from outside: signals, however busy or stuck the rest of it is.

The interpreter writes a signal's number to a pipe the moment it comes; a thread of its own reads it and acts. So
neither a terminal or disk that hangs nor a defect keeps the program from ending in time.
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

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Whatever hangs, the process is ended so many seconds after the end began (SPEC 3: within 10 s),
_LAST_RESORT: Final = 9.7
#: so many after all that was to be waited for is over,
_AFTERWARDS: Final = 2.0
#: and so many after the second signal;
_AT_ONCE: Final = 1.0
#: and has before that so many for its last words.
_LAST_WORDS: Final = 0.2
_LOOK: Final = 0.1
#: Written to the pipe where the end began without a signal.
_UNASKED: Final = 0


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end the program: SIGTERM, and SIGHUP and SIGINT unless they are ignored.

    nohup ignores SIGHUP. A shell without job control ignores both for a command that it starts with `&`. Such a program
    must keep running.
    """
    return tuple(
        number for number in _SIGNALS if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    )


class SignalWatcher:
    """From __enter__, in the main thread, to __exit__: the first signal begins the end and the second one ends at once.

    A second SIGHUP counts for nothing: the system and the shell both send one when a terminal goes. All functions are
    called in threads of this object's, and none but `last` may block.
    """

    def __init__(
        self,
        begin: Callable[[int], object],
        hurry: Callable[[int], object],
        *,
        last: Callable[[], object],
        over: Callable[[], bool] = lambda: False,
        hangup: Callable[[], object] | None = None,
    ) -> None:
        """`begin` and `hurry` are called with the first and the second signal; `last` where the process is ended here.

        `over`: nothing is left to be waited for. `hangup` is what SIGHUP asks for instead of an end.
        """
        #: The signal that asked for an end at once.
        self.second: int | None = None
        self._begin = begin
        self._hurry = hurry
        self._last = last
        self._over = over
        self._hangup = hangup
        self._deadline = math.inf
        self._thread = threading.Thread(target=self._watch, name="ends", daemon=True)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> SignalWatcher:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # Handlers run in the main thread, which may hang. trio, where it runs there, does without: what it is to know
        # of signals is handed to it by the thread.
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in ending_signals():
            self._before[number] = signal.signal(number, _heed)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def begun(self) -> None:
        """The end has begun otherwise: it has its time, and the next signal is the second."""
        with contextlib.suppress(BlockingIOError):  # full of signals
            os.write(self._write, bytes([_UNASKED]))

    def _watch(self) -> None:
        while (now := time.monotonic()) < self._deadline:
            ending = self._deadline < math.inf
            if select.select([self._read], [], [], _LOOK if ending else None)[0]:
                received = os.read(self._read, 1)
                if not received:
                    return
                self._receive(received[0])
            elif self._over():
                self._deadline = min(self._deadline, now + _AFTERWARDS)
        last = threading.Thread(target=self._last, name="last words", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread is to be had
            last.start()
            last.join(_LAST_WORDS)
        os._exit(0 if self.second is None else 128 + self.second)

    def _receive(self, number: int) -> None:
        now, ending = time.monotonic(), self._deadline < math.inf
        if number not in (_UNASKED, *_SIGNALS):  # the number of any other signal that has a handler
            return
        if number == signal.SIGHUP and self._hangup is not None:
            if not ending:
                self._hangup()
        elif not ending:
            self._deadline = now + _LAST_RESORT
            if number != _UNASKED:
                self._begin(number)
        elif number not in (signal.SIGHUP, _UNASKED) and self.second is None:
            self.second = number
            self._deadline = now + _AT_ONCE
            self._hurry(number)


def _heed(_number: int, _frame: FrameType | None) -> None:
    """Have the signal do nothing but what is done in the thread."""
