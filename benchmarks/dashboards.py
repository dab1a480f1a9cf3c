"""The program with its dashboard open, on a terminal that swallows what is drawn, as one more client."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.clients import Client, Task, our_configuration
from benchmarks.process import Spent, peak_memory
from benchmarks.terminal import BenchmarkFailed, on_terminal

_SUFFIX = ", dashboard"


def with_dashboard(client: Client) -> Client:
    """Return the program as one that is watched."""
    return replace(client, name=client.name + _SUFFIX)


def has_dashboard(client: Client) -> bool:
    """Whether with_dashboard() made it."""
    return client.name.endswith(_SUFFIX)


def spend_watched(task: Task, ended: Callable[[], int], *, patience: float = 600.0) -> Spent:
    """Start the dashboard, end it as soon as the server has seen all sessions end, and say what that took in all.

    Here `memory` is the process's own. Raises BenchmarkFailed where sessions do not end.
    """
    configuration = str(our_configuration(task))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with on_terminal(["-m", "tui_popretr", configuration], columns=120, rows=40) as program:
        while ended() < len(task.accounts):
            if program.process.poll() is not None or time.perf_counter() > program.begun + patience:
                raise BenchmarkFailed(f"{ended()} sessions ended; on the terminal: {program.text[-1000:]!r}")
            program.watch(0.005)
        memory = peak_memory(program.process.pid)
        program.end()
        seconds = time.perf_counter() - program.begun
        code = program.process.returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(code, seconds, used, memory)
