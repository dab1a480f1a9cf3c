"""A dashboard as a job of a shell: ctrl+z gives the terminal back to the shell while retrieval goes on.

A shell takes the terminal back when its child stops, and a process stops with all its threads, the engine's included.
So where there is a shell with job control, two processes are made before there is any thread:

    keeper   the shell's child, in the shell's job; it only waits, stops when the dashboard has given the terminal up,
             passes signals on, and ends with the dashboard's exit code
    worker   engine and dashboard, in a process group of their own, which has the terminal while it draws

    worker -> keeper   SIGUSR1: the terminal is given up
    keeper -> worker   SIGTSTP: give it up; SIGCONT: it is yours again; SIGTERM, SIGINT, SIGHUP as they come

`fg` after `bg` sends no SIGCONT to a job that runs, so a keeper in the background looks whether it has the terminal. A
worker whose keeper was killed ends as by SIGTERM. Without job control (a session of its own, as of `ssh host command`,
a terminal emulator's -e, or a container) there is one process, and no shell that could take the terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

_TERMINAL: Final = 0
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP)
#: Of the keeper. SIGTTOU would stop it when it takes the terminal back from the background.
_BLOCKED: Final = (*_PASSED_ON, signal.SIGCHLD, signal.SIGCONT, signal.SIGUSR1, signal.SIGTTOU)
_AWAITED: Final = tuple(number for number in _BLOCKED if number != signal.SIGTTOU)
#: Seconds between two looks of a keeper in the background whether it has the terminal.
_LOOK: Final = 0.25
_LONG: Final = 3600.0

_keeper = 0


def is_kept() -> bool:
    """Return whether this process has a keeper that can stop in its place."""
    return _keeper != 0 and os.getppid() == _keeper


def has_shell() -> bool:
    """Return whether a shell with job control started this process: those put a job into a process group of its own."""
    return os.getpgrp() != os.getsid(0)


def give_up_terminal() -> None:
    """Have the keeper give the terminal to the shell. SIGCONT comes when it is back."""
    if is_kept():
        os.kill(_keeper, signal.SIGUSR1)


def run(body: Callable[[], int], *, mend: Callable[[], object] = lambda: None) -> int:
    """Run `body` in a worker where a shell can take the terminal, else here; return its exit code.

    `mend` puts the terminal in order where the worker was killed, or stopped without notice. To be called before there
    are threads. Raises in the process that runs `body` what it raises; the other process returns the exit code then.
    """
    if not _in_foreground():
        return body()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    ready = os.pipe()
    try:
        worker = os.fork()
    except OSError:  # no more processes: it works without, too
        for each in ready:
            os.close(each)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return body()
    if worker == 0:
        _become_worker(ready)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return body()
    os.close(ready[0])
    code = _Keeper(worker, ready[1], mend).keep()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    if not hasattr(signal, "sigtimedwait"):
        return False
    try:
        return has_shell() and os.tcgetpgrp(_TERMINAL) == os.getpgrp()
    except OSError:  # it is not the terminal that controls this process
        return False


def _become_worker(ready: tuple[int, int]) -> None:
    """Be the leader of a process group, wait until it has the terminal, and end when the keeper does."""
    global _keeper
    _keeper = os.getppid()
    os.close(ready[1])
    os.setpgid(0, 0)
    os.read(ready[0], 1)

    def watch() -> None:
        os.read(ready[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="keeper", daemon=True).start()


class _Keeper:
    def __init__(self, worker: int, ready: int, mend: Callable[[], object]) -> None:
        self._worker = worker
        self._mend = mend
        self._waiting = False  # whether the worker waits for the terminal
        with contextlib.suppress(OSError):
            os.setpgid(worker, worker)  # both do it, whichever comes first
        self._hand_over(worker)
        os.write(ready, b".")  # the pipe stays open until this process ends

    def keep(self) -> int:
        """Wait for the worker's end and return its exit code, negative: the signal that killed it."""
        while True:
            told = signal.sigtimedwait(_AWAITED, _LOOK if self._waiting else _LONG)
            number = None if told is None else told.si_signo
            if number == signal.SIGCHLD:
                if (code := self._ended()) is not None:
                    self._hand_over(os.getpgrp())
                    if code < 0:
                        self._mend()
                    return code
            elif told is not None and number == signal.SIGUSR1:
                if told.si_pid == self._worker:
                    self._stop()
            elif number == signal.SIGTSTP and self._waiting:  # the worker has given the terminal up already
                self._stop()
            elif number == signal.SIGCONT:
                # After a SIGSTOP to this process the shell has taken the terminal from the worker.
                self._waiting = self._waiting or not self._has_terminal(self._worker)
            elif number in _PASSED_ON:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._worker, signal.Signals(number))
            self._return_terminal()

    def _ended(self) -> int | None:
        process, status = os.waitpid(self._worker, os.WNOHANG | os.WUNTRACED)
        if process == 0:
            return None
        if os.WIFSTOPPED(status):  # without notice
            self._hand_over(os.getpgrp())
            self._mend()
            self._stop()
            return None
        return os.waitstatus_to_exitcode(status)

    def _stop(self) -> None:
        """Give the terminal to the shell by stopping, with all that is in the job; return when it goes on."""
        self._waiting = True
        self._hand_over(os.getpgrp())
        os.kill(0, signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTSTP,))  # here it stops
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTSTP,))

    def _return_terminal(self) -> None:
        """Let the worker go on where the shell has given the terminal to the job."""
        if self._waiting and self._has_terminal(os.getpgrp()):
            self._hand_over(self._worker)
            self._waiting = False
            with contextlib.suppress(OSError):
                os.kill(self._worker, signal.SIGCONT)

    def _has_terminal(self, group: int) -> bool:
        try:
            return os.tcgetpgrp(_TERMINAL) == group
        except OSError:  # the terminal is gone
            return False

    def _hand_over(self, group: int) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            os.tcsetpgrp(_TERMINAL, group)
