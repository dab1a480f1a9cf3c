"""Signals end a process that hangs, in time: its main thread runs no Python any more, and nothing else answers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.popserver_thread import PATIENCE

TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP

#: With the times that it says, and everything that is called telling so. No signal reaches the main thread.
PROCESS = """
import signal, threading
from tui_popretr.process import signals
never, soon = 1000.0, 0.1
signals._LAST_RESORT, signals._AFTERWARDS, signals._AT_ONCE = {times}
tell = lambda *words: print(*words, flush=True)
def tells(what):
    return lambda number: tell(what, signal.Signals(number).name)
signal.signal(signal.SIGWINCH, lambda *_: None)
with signals.SignalWatcher(tells("begin"), tells("hurry"), {more}) as it:
    {body}
"""
HANG = """signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    tell("hanging")
    threading.Event().wait()"""
LAST = 'last=lambda: tell("last")'

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process, which has said its first line then."""
    with ExitStack() as stack:

        def started(times: str, more: str = LAST, body: str = HANG) -> subprocess.Popen[str]:
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
    """Wait for the end and return what was said."""
    process.wait(PATIENCE)
    assert process.stdout is not None
    return process.stdout.read().splitlines()


@pytest.mark.parametrize("number", [TERM, INT, HUP])
def test_a_signal_begins_an_end_that_has_its_time(start: Start, number: signal.Signals) -> None:
    process = start("soon, never, never")
    process.send_signal(number)
    assert rest(process) == [f"begin {number.name}", "last"]
    assert process.returncode == 0


def test_so_has_an_end_that_began_without_a_signal(start: Start) -> None:
    process = start("soon, never, never", body="it.begun()\n    " + HANG)
    assert rest(process) == ["last"]
    assert process.returncode == 0


def test_when_all_is_over_little_is_waited_for(start: Start) -> None:
    process = start("never, soon, never", more=LAST + ", over=lambda: True")
    process.send_signal(TERM)
    assert rest(process) == ["begin SIGTERM", "last"]
    assert process.returncode == 0


@pytest.mark.parametrize("number", [TERM, INT])
def test_the_second_signal_ends_at_once(start: Start, number: signal.Signals) -> None:
    process = start("never, never, soon")
    process.send_signal(TERM)
    assert line(process) == "begin SIGTERM"
    process.send_signal(number)
    assert rest(process) == [f"hurry {number.name}", "last"]
    assert process.returncode == 128 + number


def test_so_does_the_first_after_an_end_that_began_without_one(start: Start) -> None:
    process = start("never, never, soon", body="it.begun()\n    " + HANG)
    process.send_signal(INT)
    assert rest(process) == ["hurry SIGINT", "last"]
    assert process.returncode == 128 + INT


def test_a_second_sighup_does_not(start: Start) -> None:
    process = start("10 * soon, never, never")
    process.send_signal(HUP)
    assert line(process) == "begin SIGHUP"
    process.send_signal(HUP)
    process.send_signal(signal.SIGWINCH)  # nor any other signal
    assert rest(process) == ["last"]
    assert process.returncode == 0


def test_sighup_may_ask_for_something_else_until_the_end_begins(start: Start) -> None:
    process = start("never, never, soon", more=LAST + ', hangup=lambda: tell("hangup")')
    for _ in range(2):
        process.send_signal(HUP)
        assert line(process) == "hangup"
    process.send_signal(TERM)
    assert line(process) == "begin SIGTERM"
    process.send_signal(TERM)
    assert rest(process) == ["hurry SIGTERM", "last"]


@pytest.mark.parametrize("number", [INT, HUP])
def test_a_signal_that_was_ignored_stays_so(start: Start, number: signal.Signals) -> None:
    ignored = f"__import__('signal').signal({int(number)}, 1) and None"
    process = start("never, never, soon", more=LAST + f", hangup={ignored}")
    process.send_signal(number)
    process.send_signal(TERM)
    assert line(process) == "begin SIGTERM"
    process.send_signal(number)
    process.send_signal(TERM)
    assert rest(process) == ["hurry SIGTERM", "last"]


def test_last_words_that_hang_are_not_waited_for(start: Start) -> None:
    process = start("soon, never, never", more="last=threading.Event().wait")
    process.send_signal(TERM)
    assert rest(process) == ["begin SIGTERM"]
    assert process.returncode == 0


def test_without_a_thread_for_the_last_words_the_end_comes(start: Start) -> None:
    no_thread = "threading.Thread.start = lambda _: (_ for _ in ()).throw(RuntimeError())\n    "
    process = start("soon, never, never", body=no_thread + HANG)
    process.send_signal(TERM)
    assert rest(process) == ["begin SIGTERM"]
    assert process.returncode == 0


def test_afterwards_signals_do_what_they_did_before(start: Start) -> None:
    process = start("never, never, never", body="pass\ntell('hanging')\nthreading.Event().wait()")
    process.send_signal(TERM)
    assert rest(process) == []
    assert process.returncode == -TERM
