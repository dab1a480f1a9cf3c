"""Signals end the program in time, even if the rest of it hangs.

The interpreter writes a signal's number to a pipe when the signal arrives, and a separate thread reads the pipe. A
terminal or disk that hangs, or a bug, cannot delay that thread.
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
#: Seconds from the start of the shutdown to the forced end; service managers kill a process after 10 s.
_STOP_TIMEOUT: Final = 9.7
#: Seconds from the moment that nothing is left to wait for to the forced end.
_EXIT_TIMEOUT: Final = 2.0
#: Seconds from the second signal to the forced end.
_CANCEL_TIMEOUT: Final = 1.0
#: Seconds for the cleanup before the forced end.
_CLEANUP_TIMEOUT: Final = 0.2
_POLL_INTERVAL: Final = 0.1
#: Written to the pipe when the shutdown starts without a signal.
_NO_SIGNAL: Final = 0


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end the program: SIGTERM, and SIGHUP and SIGINT unless they are ignored.

    nohup ignores SIGHUP. A shell without job control ignores both for a command that it starts with `&`. Such a program
    must keep running.
    """
    return tuple(
        number for number in _SIGNALS if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    )


class SignalWatcher:
    """Watches from __enter__, in the main thread, to __exit__. The first signal stops the program, the second cancels.

    Stopping is graceful; cancelling does not wait for servers. If either takes too long, this object ends the process:
    the forced end. A second SIGHUP is ignored, because the system and the shell both send one when a terminal closes.
    All functions are called in threads of this object, and only `cleanup` may block.
    """

    def __init__(
        self,
        stop: Callable[[int], object],
        cancel: Callable[[int], object],
        *,
        cleanup: Callable[[], object],
        finished: Callable[[], bool] = lambda: False,
        hangup: Callable[[], object] | None = None,
    ) -> None:
        """`stop` and `cancel` are called with the first and the second signal, `cleanup` before the forced end.

        `finished` returns whether nothing is left to wait for. `hangup` is what SIGHUP does instead of stopping.
        """
        #: The signal that cancelled the program.
        self.second_signal: int | None = None
        self._stop = stop
        self._cancel = cancel
        self._cleanup = cleanup
        self._finished = finished
        self._hangup = hangup
        self._deadline = math.inf
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> SignalWatcher:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # Handlers run in the main thread, which may hang, so they do nothing. The thread informs trio, too.
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in ending_signals():
            self._before[number] = signal.signal(number, _do_nothing)
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

    def stopping(self) -> None:
        """Report that the program stops without a signal: its time starts, and the next signal cancels."""
        with contextlib.suppress(BlockingIOError):  # full of signals
            os.write(self._write, bytes([_NO_SIGNAL]))

    def _watch(self) -> None:
        while (now := time.monotonic()) < self._deadline:
            ending = self._deadline < math.inf
            if select.select([self._read], [], [], _POLL_INTERVAL if ending else None)[0]:
                received = os.read(self._read, 1)
                if not received:
                    return
                self._receive(received[0])
            elif self._finished():
                self._deadline = min(self._deadline, now + _EXIT_TIMEOUT)
        cleanup = threading.Thread(target=self._cleanup, name="cleanup", daemon=True)
        with contextlib.suppress(RuntimeError):  # the system has no thread left
            cleanup.start()
            cleanup.join(_CLEANUP_TIMEOUT)
        os._exit(0 if self.second_signal is None else 128 + self.second_signal)

    def _receive(self, number: int) -> None:
        now, ending = time.monotonic(), self._deadline < math.inf
        if number not in (_NO_SIGNAL, *_SIGNALS):  # the number of any other signal that has a handler
            return
        if number == signal.SIGHUP and self._hangup is not None:
            if not ending:
                self._hangup()
        elif not ending:
            self._deadline = now + _STOP_TIMEOUT
            if number != _NO_SIGNAL:
                self._stop(number)
        elif number not in (signal.SIGHUP, _NO_SIGNAL) and self.second_signal is None:
            self.second_signal = number
            self._deadline = now + _CANCEL_TIMEOUT
            self._cancel(number)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal: only a signal with a handler is written to the pipe."""
