"""A dashboard as a job of a shell: ctrl+z gives the terminal back to the shell while retrieval goes on.

A shell takes the terminal back when its child stops, but a process stops with all its threads, also the engine's. So
under a shell with job control, the program forks into two processes before it starts a thread:

    keeper   the shell's child, in the shell's job. It stops when the dashboard has released the terminal, forwards
             signals, and ends with the dashboard's exit code.
    worker   engine and dashboard, in a process group of their own. It has the terminal while it draws.

    worker -> keeper   SIGUSR1: the terminal is released
    keeper -> worker   SIGTSTP: release the terminal. SIGCONT: it is yours again. SIGTERM, SIGINT, SIGHUP: forwarded

`fg` after `bg` sends no SIGCONT to a running job, so a keeper in the background polls for the terminal. A worker whose
keeper was killed ends as by SIGTERM. Without job control (`ssh host command`, a terminal emulator's -e, a container)
there is one process.
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
_FORWARDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP)
#: By the keeper. SIGTTOU would stop it when it takes the terminal back from the background.
_BLOCKED: Final = (*_FORWARDED, signal.SIGCHLD, signal.SIGCONT, signal.SIGUSR1, signal.SIGTTOU)
_AWAITED: Final = tuple(number for number in _BLOCKED if number != signal.SIGTTOU)
#: Seconds between two checks of a keeper in the background whether it has the terminal.
_POLL_INTERVAL: Final = 0.25
_FOREVER: Final = 3600.0

_keeper = 0


def is_kept() -> bool:
    """Whether this process has a keeper that can stop for it."""
    return _keeper != 0 and os.getppid() == _keeper


def has_shell() -> bool:
    """Whether a shell with job control started this process. Such a shell gives each job its own process group."""
    return os.getpgrp() != os.getsid(0)


def release_terminal() -> None:
    """Let the keeper give the terminal to the shell. SIGCONT follows when it is back."""
    if is_kept():
        os.kill(_keeper, signal.SIGUSR1)


def run(body: Callable[[], int], *, restore: Callable[[], object] = lambda: None) -> int:
    """Run `body`, in a worker if a shell can take the terminal; return its exit code.

    `restore` resets the terminal if the worker was killed, or stopped without notice. Must be called before a thread is
    started. What `body` raises is raised in its process; the keeper returns the exit code then.
    """
    if not _in_foreground():
        return body()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    ready = os.pipe()
    try:
        worker = os.fork()
    except OSError:  # the limit of processes: one process works, too
        for each in ready:
            os.close(each)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return body()
    if worker == 0:
        _become_worker(ready)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return body()
    os.close(ready[0])
    code = _Keeper(worker, ready[1], restore).keep()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    if not hasattr(signal, "sigtimedwait"):
        return False
    try:
        return has_shell() and os.tcgetpgrp(_TERMINAL) == os.getpgrp()
    except OSError:  # not the controlling terminal of this process
        return False


def _become_worker(ready: tuple[int, int]) -> None:
    """Lead a process group, wait until it has the terminal, and end when the keeper ends."""
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
    def __init__(self, worker: int, ready: int, restore: Callable[[], object]) -> None:
        self._worker = worker
        self._restore = restore
        self._waiting = False  # whether the worker waits for the terminal
        with contextlib.suppress(OSError):
            os.setpgid(worker, worker)  # both processes do it, because either may be first
        self._hand_over(worker)
        os.write(ready, b".")  # the pipe stays open until this process ends

    def keep(self) -> int:
        """Wait for the worker's end; return its exit code, or the negative number of the signal that killed it."""
        while True:
            received = signal.sigtimedwait(_AWAITED, _POLL_INTERVAL if self._waiting else _FOREVER)
            number = None if received is None else received.si_signo
            if number == signal.SIGCHLD:
                if (code := self._ended()) is not None:
                    self._hand_over(os.getpgrp())
                    if code < 0:
                        self._restore()
                    return code
            elif received is not None and number == signal.SIGUSR1:
                if received.si_pid == self._worker:
                    self._stop()
            elif number == signal.SIGTSTP and self._waiting:  # the worker has released the terminal already
                self._stop()
            elif number == signal.SIGCONT:
                # After a SIGSTOP to this process the shell has taken the terminal from the worker.
                self._waiting = self._waiting or not self._has_terminal(self._worker)
            elif number in _FORWARDED:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._worker, signal.Signals(number))
            self._return_terminal()

    def _ended(self) -> int | None:
        process, status = os.waitpid(self._worker, os.WNOHANG | os.WUNTRACED)
        if process == 0:
            return None
        if os.WIFSTOPPED(status):  # without notice
            self._hand_over(os.getpgrp())
            self._restore()
            self._stop()
            return None
        return os.waitstatus_to_exitcode(status)

    def _stop(self) -> None:
        """Give the terminal to the shell by stopping the job; return when the job continues."""
        self._waiting = True
        self._hand_over(os.getpgrp())
        os.kill(0, signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTSTP,))  # the process stops here
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTSTP,))

    def _return_terminal(self) -> None:
        """Continue the worker if the shell has given the terminal to the job."""
        if self._waiting and self._has_terminal(os.getpgrp()):
            self._hand_over(self._worker)
            self._waiting = False
            with contextlib.suppress(OSError):
                os.kill(self._worker, signal.SIGCONT)

    def _has_terminal(self, group: int) -> bool:
        try:
            return os.tcgetpgrp(_TERMINAL) == group
        except OSError:  # the terminal is closed
            return False

    def _hand_over(self, group: int) -> None:
        with contextlib.suppress(OSError):  # the terminal is closed
            os.tcsetpgrp(_TERMINAL, group)
