"""What the control socket costs: `python -m benchmarks.attached [--quick] [SCENARIO ...]` prints a table.

What readers cost while mail is retrieved is the row `fleet-readers` of `python -m benchmarks.peers`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import trio

from benchmarks.clients import OURS
from benchmarks.process import peak_memory
from benchmarks.readers import READERS, readers, wait_for_socket
from benchmarks.scenarios import Figure, at, configure, say, tell, waiting
from benchmarks.serving import serving
from benchmarks.terminal import BenchmarkFailed, on_terminal
from tui_popretr.bus import Bus
from tui_popretr.cli.companions import add_daemon
from tui_popretr.commands import Shutdown
from tui_popretr.config.reader import load
from tui_popretr.engine.service import Engine
from tui_popretr.process.interpreter import collect

_PROGRAM: Final = os.path.join(os.path.dirname(sys.executable), OURS)
_SOCKET: Final = "var/control.sock"
_LATER: Final = "<delay_start>1h</delay_start>"
#: A task of the engine's loop sleeps for this long, seconds: what it sleeps longer is lag.
_NAP: Final = 0.005
#: Until the engine has started and prometheus_client is loaded, seconds.
_WARM: Final = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure. `window` in seconds; `clients` are many."""

    starts: int
    window: float
    clients: int


LONG: Final = Plan(starts=5, window=20, clients=5000)
QUICK: Final = Plan(starts=2, window=5, clients=1000)


# --- scenarios --------------------------------------------------------------------------------------------------------


def paint(plan: Plan, folder: str) -> list[Figure]:
    """From the start of `tui-popretr attach` to the first screen with clients"""
    figures = []
    for count, goal in ((200, 1.0), (plan.clients, 2.0)):
        path = configure(folder, waiting(count), _LATER)
        paints, used = [], []
        with _daemon(path):
            for _ in range(plan.starts):
                with on_terminal([_PROGRAM, "attach", path], columns=120, rows=40) as program:
                    shown = program.wait_for(lambda: "client-0006" in program.text, "the first frame")
                    paints.append(shown - program.begun)
                    used.append(program.cpu)
                    program.end()
        figures += [
            Figure(f"{count:,} clients, median of {plan.starts}", median(paints), "s", goal),
            Figure(f"{count:,} clients, slowest", max(paints), "s"),
            Figure(f"{count:,} clients, processor time until then", median(used), "s"),
        ]
    return figures


def memory(plan: Plan, folder: str) -> list[Figure]:
    """200 clients that are polled every second, first without readers, then with 20, one of them stopped"""
    with serving("benchmarks.nomail", Path(folder, "sessions")) as port:
        clients = [
            f'<client id="c{n}" recip="c{n}" freq="1s"><server address="127.0.0.1:{port}">'
            f"<username>user{n}</username><password>secret</password></server></client>"
            for n in range(200)
        ]
        path = configure(folder, clients, "<delay_start>0</delay_start>")
        with _daemon(path) as process:
            time.sleep(plan.window)
            alone = _memory(process.pid)
            with readers(Path(folder, _SOCKET)) as read:
                time.sleep(plan.window / 2)
                half = _memory(process.pid)
                time.sleep(plan.window / 2)
                full, came = _memory(process.pid), read()
            peak = peak_memory(process.pid)
    return [
        Figure("PSS without readers", alone / 1e6, "MB"),
        Figure(f"PSS with {READERS} readers, after {plan.window / 2:g} s", half / 1e6, "MB"),
        Figure(f"PSS with {READERS} readers, after {plan.window:g} s", full / 1e6, "MB"),
        Figure(f"growth by {READERS} readers", (full - alone) / 1e6, "MB", 2 * READERS),
        Figure("largest resident memory", peak / 1e6, "MB"),
        Figure("read by them", came / plan.window / 1000, "kB/s"),
    ]


def loop(plan: Plan, folder: str) -> list[Figure]:
    """The engine's loop with thousands of waiting clients: alone, with metrics every second, with new readers"""
    figures = []
    metrics = f'<metrics every="1s">{folder}/popretr.prom</metrics>'
    for what, more, reading in (
        ("alone", "", False),
        ("metrics", metrics, False),
        (f"{READERS} readers get a snapshot", "", True),
    ):
        path = configure(folder, waiting(plan.clients), _LATER + more)
        found = trio.run(_observe, path, plan.window, reading)
        figures += [
            Figure(f"{what}: processor time of the loop", 1000 * found.used / found.seconds, "ms/s"),
            Figure(f"{what}: longest step, processor time", 1000 * found.longest, "ms", 50),
            Figure(f"{what}: lag of a task, p50", 1000 * at(found.lags, 50), "ms"),
            Figure(f"{what}: lag of a task, p99", 1000 * at(found.lags, 99), "ms"),
        ]
    return figures


SCENARIOS: Final[dict[str, Callable[[Plan, str], list[Figure]]]] = {"paint": paint, "memory": memory, "loop": loop}


# --- what they have in common -----------------------------------------------------------------------------------------


@contextmanager
def _daemon(path: str) -> Iterator[subprocess.Popen[bytes]]:
    with open(f"{path}.said", "wb") as said:
        process = subprocess.Popen(
            [_PROGRAM, "run", path, "--headless", "-q"], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        wait_for_socket(Path(path).parent / _SOCKET)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _memory(pid: int) -> int:
    """Return the proportional set size in octets."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkFailed("there is no proportional set size")


class _Steps(trio.abc.Instrument):
    """The processor time of the steps of tasks: whatever else the machine does, a long step blocks all sessions."""

    def __init__(self) -> None:
        self.used = self.longest = 0.0
        self.seconds = 0.0
        self.lags: list[float] = []
        self._began = time.thread_time()  # within the step that adds this

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took = time.thread_time() - self._began
        self.used += took
        self.longest = max(self.longest, took)


async def _observe(path: str, seconds: float, reading: bool) -> _Steps:
    """Run an engine in this process, and observe its loop, `reading`: until all readers have their snapshots."""
    collect()
    settings = load(path).settings
    assert settings is not None
    engine = Engine(settings, Bus())
    add_daemon(engine, path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        await trio.sleep(_WARM)
        steps, served = _Steps(), trio.Event()
        trio.lowlevel.add_instrument(steps)

        async def serve() -> None:
            await trio.to_thread.run_sync(_come_and_go, Path(path).parent / _SOCKET)
            served.set()

        if reading:
            nursery.start_soon(serve)
        begun = time.perf_counter()
        while not served.is_set() if reading else time.perf_counter() < begun + seconds:
            before = time.perf_counter()
            await trio.sleep(_NAP)
            steps.lags.append(time.perf_counter() - before - _NAP)
        steps.seconds = time.perf_counter() - begun
        trio.lowlevel.remove_instrument(steps)
        engine.perform(Shutdown())
    return steps


def _come_and_go(path: Path) -> None:
    with readers(path):
        pass


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for and print it; return 0 whether goals are met or not: machines differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attached", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="1,000 instead of 5,000 clients, and a shorter time")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"{os.cpu_count()} processors, load {load}; Python {platform.python_version()}")
    for name in asked.scenarios or SCENARIOS:
        say(f"\n{name}: {SCENARIOS[name].__doc__}")
        with tempfile.TemporaryDirectory(prefix="tui-popretr-benchmark-") as folder:
            try:
                tell(SCENARIOS[name](QUICK if asked.quick else LONG, folder))
            except BenchmarkFailed as problem:
                say(f"  failed: {problem}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
