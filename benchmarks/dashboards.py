"""The program with its dashboard open, on a terminal that swallows what is drawn, as one more client.

Two things are measured, because they are two questions. What does it cost to start the program with a dashboard? The
whole process is timed, with the start of everything that draws. And what does a dashboard cost that is open anyway? The
program waits with nothing to do, and the time runs from the first login that the server sees to the last session's end;
beside it the same program without a dashboard waits, and is timed likewise.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks.clients import Client, Task, our_configuration
from benchmarks.process import Spent, peak_memory
from benchmarks.readers import READERS
from benchmarks.readers import readers as reading
from benchmarks.store import Sessions
from benchmarks.terminal import BenchmarkFailed, OnTerminal, on_terminal

#: What is asked again and again: how many sessions the server has seen.
Watch = Callable[[], Sessions]

#: After so many seconds a program that waits begins. By then it has started, and drawn all that there is to draw.
DELAY: Final = 3
#: How often the server is asked, seconds.
_OFTEN: Final = 0.002


def with_dashboard(client: Client) -> Client:
    """Return the program as one that is started with its dashboard; the whole process is measured."""
    return replace(client, name=f"{client.name}, dashboard", spend=partial(spend_whole, client.program))


def open_dashboard(client: Client) -> Client:
    """Return the program as one whose dashboard is open when mail comes; the sessions are measured."""
    return replace(client, name=f"{client.name}, dashboard open", spend=partial(spend_waiting, client.program, True))


def daemon(client: Client) -> Client:
    """Return the program as one that waits without a dashboard; the sessions are measured."""
    return replace(client, name=f"{client.name}, daemon", spend=partial(spend_waiting, client.program, False))


def watched(client: Client) -> Client:
    """Return the program as a daemon that others watch by its control socket; the sessions are measured."""
    return replace(
        client,
        name=f"{client.name}, {READERS} readers",
        spend=partial(spend_waiting, client.program, False, readers=READERS),
    )


def spend_whole(program: str, task: Task, watch: Watch, *, patience: float = 600.0) -> Spent:
    """Start the dashboard, end it as soon as the server has seen all sessions end, and say what that took in all.

    Here `memory` is the process's own. Raises BenchmarkFailed where sessions do not end.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with _running(program, task, "0", ()) as running:
        _await_ends(running, watch, len(task.accounts), patience)
        memory = peak_memory(running.process.pid)
        running.end()
        seconds = time.perf_counter() - running.begun
        code = running.process.returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(code, seconds, used, memory)


def spend_waiting(
    program: str, dashboard: bool, task: Task, watch: Watch, *, readers: int = 0, patience: float = 600.0
) -> Spent:
    """Start the program and let it wait; say what its sessions took, from the first login to the last one's end.

    `readers` watch it by its control socket, one of them stopped. Raises BenchmarkFailed where sessions do not end, and
    where they begin before the dashboard or the readers are there.
    """
    with _running(program, task, f"{DELAY}s", () if dashboard else ("--headless",)) as running:
        if dashboard:
            running.wait_for(lambda: task.accounts[0] in running.text, "the first frame")
        with reading(task.home / "var/control.sock", readers) if readers else nullcontext():
            if watch().begun:
                raise BenchmarkFailed("sessions began while the program was still starting")
            while not watch().begun:
                _look_after(running, watch, patience)
            began, used = time.perf_counter(), running.cpu
            _await_ends(running, watch, len(task.accounts), patience)
            seconds, used = time.perf_counter() - began, running.cpu - used
        memory = peak_memory(running.process.pid)
        running.end()
        code = running.process.returncode
    return Spent(code, seconds, used, memory)


@contextmanager
def _running(program: str, task: Task, delay: str, options: Sequence[str]) -> Iterator[OnTerminal]:
    # Not again after a second: what is measured is one session of each account.
    settings = f'<delay_start>{delay}</delay_start><concurrency total="200" perserver="200"/>'
    configuration = our_configuration(task, frequency="1h", settings=settings)
    with on_terminal([program, "run", str(configuration), *options], columns=120, rows=40) as running:
        yield running


def _await_ends(running: OnTerminal, watch: Watch, count: int, patience: float) -> None:
    while watch().ended < count:
        _look_after(running, watch, patience)


def _look_after(running: OnTerminal, watch: Watch, patience: float) -> None:
    if running.process.poll() is not None or time.perf_counter() > running.begun + patience:
        raise BenchmarkFailed(f"{watch().ended} sessions ended; on the terminal: {running.text[-1000:]!r}")
    running.watch(_OFTEN)
