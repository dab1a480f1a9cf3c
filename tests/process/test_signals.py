"""Signals end a process in time, even if its main thread hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.waiting import PATIENCE

TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP

#: The functions of the watcher print their names. No signal reaches the main thread.
PROCESS = """
import signal, threading
from tui_popretr.process import signals
never, soon = 1000.0, 0.1
signals._STOP_TIMEOUT, signals._EXIT_TIMEOUT, signals._CANCEL_TIMEOUT = {times}
tell = lambda *words: print(*words, flush=True)
def tells(what):
    return lambda number: tell(what, signal.Signals(number).name)
signal.signal(signal.SIGWINCH, lambda *_: None)
with signals.SignalWatcher(tells("stop"), tells("cancel"), {more}) as it:
    {body}
"""
HANG = """signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    tell("hanging")
    threading.Event().wait()"""
CLEANUP = 'cleanup=lambda: tell("cleanup")'

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process and waits for its first line."""
    with ExitStack() as stack:

        def started(times: str, more: str = CLEANUP, body: str = HANG) -> subprocess.Popen[str]:
            code = PROCESS.format(times=times, more=more, body=body)
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            assert line(process) == "hanging"
            return process

        yield started


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def rest(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the end; return the other lines."""
    process.wait(PATIENCE)
    assert process.stdout is not None
    return process.stdout.read().splitlines()


@pytest.mark.parametrize("number", [TERM, INT, HUP])
def test_the_first_signal_stops_with_a_time_limit(start: Start, number: signal.Signals) -> None:
    process = start("soon, never, never")
    process.send_signal(number)
    assert rest(process) == [f"stop {number.name}", "cleanup"]
    assert process.returncode == 0


def test_stopping_without_a_signal_has_the_same_limit(start: Start) -> None:
    process = start("soon, never, never", body="it.stopping()\n    " + HANG)
    assert rest(process) == ["cleanup"]
    assert process.returncode == 0


def test_when_all_is_finished_the_limit_is_shorter(start: Start) -> None:
    process = start("never, soon, never", more=CLEANUP + ", finished=lambda: True")
    process.send_signal(TERM)
    assert rest(process) == ["stop SIGTERM", "cleanup"]
    assert process.returncode == 0


@pytest.mark.parametrize("number", [TERM, INT])
def test_the_second_signal_cancels(start: Start, number: signal.Signals) -> None:
    process = start("never, never, soon")
    process.send_signal(TERM)
    assert line(process) == "stop SIGTERM"
    process.send_signal(number)
    assert rest(process) == [f"cancel {number.name}", "cleanup"]
    assert process.returncode == 128 + number


def test_the_first_signal_cancels_if_the_program_stops_already(start: Start) -> None:
    process = start("never, never, soon", body="it.stopping()\n    " + HANG)
    process.send_signal(INT)
    assert rest(process) == ["cancel SIGINT", "cleanup"]
    assert process.returncode == 128 + INT


def test_a_second_sighup_is_ignored(start: Start) -> None:
    process = start("10 * soon, never, never")
    process.send_signal(HUP)
    assert line(process) == "stop SIGHUP"
    process.send_signal(HUP)
    process.send_signal(signal.SIGWINCH)  # nor any other signal
    assert rest(process) == ["cleanup"]
    assert process.returncode == 0


def test_sighup_can_have_another_meaning_until_the_program_stops(start: Start) -> None:
    process = start("never, never, soon", more=CLEANUP + ', hangup=lambda: tell("hangup")')
    for _ in range(2):
        process.send_signal(HUP)
        assert line(process) == "hangup"
    process.send_signal(TERM)
    assert line(process) == "stop SIGTERM"
    process.send_signal(TERM)
    assert rest(process) == ["cancel SIGTERM", "cleanup"]


@pytest.mark.parametrize("number", [INT, HUP])
def test_ignored_signals_stay_ignored(start: Start, number: signal.Signals) -> None:
    ignored = f"__import__('signal').signal({int(number)}, 1) and None"
    process = start("never, never, soon", more=CLEANUP + f", hangup={ignored}")
    process.send_signal(number)
    process.send_signal(TERM)
    assert line(process) == "stop SIGTERM"
    process.send_signal(number)
    process.send_signal(TERM)
    assert rest(process) == ["cancel SIGTERM", "cleanup"]


def test_a_cleanup_that_hangs_does_not_delay_the_end(start: Start) -> None:
    process = start("soon, never, never", more="cleanup=threading.Event().wait")
    process.send_signal(TERM)
    assert rest(process) == ["stop SIGTERM"]
    assert process.returncode == 0


def test_the_process_ends_without_a_thread_for_the_cleanup(start: Start) -> None:
    no_thread = "threading.Thread.start = lambda _: (_ for _ in ()).throw(RuntimeError())\n    "
    process = start("soon, never, never", body=no_thread + HANG)
    process.send_signal(TERM)
    assert rest(process) == ["stop SIGTERM"]
    assert process.returncode == 0


def test_afterwards_signals_have_their_old_handlers(start: Start) -> None:
    process = start("never, never, never", body="pass\ntell('hanging')\nthreading.Event().wait()")
    process.send_signal(TERM)
    assert rest(process) == []
    assert process.returncode == -TERM
