"""What the dashboard costs: `python -m benchmarks.dashboard [--quick] [SCENARIO ...]` prints a table. See README.md."""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import textual

from benchmarks.measured import STALL
from benchmarks.popserver import PASSWORD
from benchmarks.scenarios import Figure, at, configure, say, tell, waiting
from benchmarks.serving import serving
from benchmarks.terminal import BenchmarkFailed, OnTerminal, on_terminal

#: A large terminal: nearly all that can be drawn at once.
WIDE: Final = 200, 50
#: In the first column: the table of exchanges has a mark, too.
_MARK = re.compile(rb"\x1b\[(\d+);[12]H(?:\x1b\[[0-9;]*m)*\xe2\x80\xba")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure. Seconds."""

    warm: float
    window: float
    keys: int
    starts: int


LONG: Final = Plan(warm=5, window=10, keys=100, starts=5)
QUICK: Final = Plan(warm=3, window=4, keys=40, starts=2)


# --- scenarios --------------------------------------------------------------------------------------------------------


def busy(plan: Plan, folder: str) -> list[Figure]:
    """200 sessions that say 2,000 lines a second, all of them shown"""
    return _acted(plan, folder, 2000, screen=50, cpu=0.5, engine=10, keys=100)


def exchanges(plan: Plan, folder: str) -> list[Figure]:
    """200 sessions with 2,000 pipelined exchanges a second, in 5,000 lines, all of them shown as rows of exchanges"""
    return _acted(plan, folder, 5000, messages=1000, exchanges=True, screen=50, engine=10, keys=100)


def flood(plan: Plan, folder: str) -> list[Figure]:
    """200 sessions that say 20,000 lines a second, all of them shown"""
    return _acted(plan, folder, 20_000, drops=True)


def real(plan: Plan, folder: str) -> list[Figure]:
    """The real engine: 200 sessions retrieving from the embedded server, whole messages in the transcript"""
    with serving("benchmarks.popserver", 200, 2.4) as port:
        address = f"127.0.0.1:{port}"
        clients = [
            f'<client id="user{n}" recip="user{n}" freq="5m" fulltrans="Y"><server address="{address}">'
            f"<username>user{n}</username><password>{PASSWORD}</password></server></client>"
            for n in range(200)
        ]
        more = '<delay_start>0</delay_start><concurrency total="200" perserver="200"/>'
        path = configure(folder, clients, more + f"<transcript>{folder}/transcript.log</transcript>")
        return _loaded(plan, ["-m", "benchmarks.measured", path], settle=12.0, screen=50, engine=10, keys=100)


def many(plan: Plan, folder: str) -> list[Figure]:
    """5,000 clients that wait"""
    path = configure(folder, waiting(5000), "<delay_start>1h</delay_start>")
    paints, used, idle, memory = [], [], 0.0, 0.0
    for number in range(plan.starts):
        with on_terminal([sys.executable, "-m", "tui_popretr", path], columns=120, rows=40) as program:
            paints.append(_first_frame(program) - program.begun)
            used.append(program.cpu)
            if number == plan.starts - 1:
                program.watch(plan.warm)
                idle, memory = _idle_cpu(program, plan.window), program.memory
            program.end()
    return [
        Figure(f"start to first paint, median of {len(paints)}", median(paints), "s", 1.5),
        Figure("start to first paint, slowest", max(paints), "s"),
        Figure("processor time until then, median", median(used), "s"),
        Figure("processor while idle", 100 * idle, "% of a core", 3),
        Figure("memory", memory, "MB"),
    ]


def idle(plan: Plan, folder: str) -> list[Figure]:
    """50 clients whose countdowns run"""
    path = configure(folder, waiting(50), "<delay_start>1h</delay_start>")
    figures = []
    for columns, rows in ((80, 24), (200, 60)):
        with on_terminal([sys.executable, "-m", "tui_popretr", path], columns=columns, rows=rows) as program:
            _first_frame(program)
            program.watch(plan.warm)
            before = program.octets
            used = _idle_cpu(program, plan.window)
            written = (program.octets - before) / plan.window
            program.end()
        figures += [
            Figure(f"written to the terminal, {columns}x{rows}", written / 1000, "kB/s", 3),
            Figure(f"processor, {columns}x{rows}", 100 * used, "% of a core"),
        ]
    return figures


SCENARIOS: Final[dict[str, Callable[[Plan, str], list[Figure]]]] = {
    "busy": busy,
    "exchanges": exchanges,
    "flood": flood,
    "real": real,
    "many": many,
    "idle": idle,
}


# --- what they have in common -----------------------------------------------------------------------------------------


def _acted(
    plan: Plan,
    folder: str,
    lines: int,
    *,
    messages: int = 500,
    exchanges: bool = False,
    drops: bool = False,
    **goals: float,
) -> list[Figure]:
    path = configure(folder, waiting(200), "")
    arguments = ["-m", "benchmarks.measured", path, f"{lines}", f"{messages}"]
    return _loaded(plan, arguments, exchanges=exchanges, drops=drops, **goals)


def _loaded(
    plan: Plan,
    arguments: Sequence[str],
    *,
    settle: float = 0.0,
    exchanges: bool = False,
    drops: bool = False,
    screen: float | None = None,
    cpu: float | None = None,
    engine: float | None = None,
    keys: float | None = None,
) -> list[Figure]:
    """Measure a dashboard with probes in it while its sessions run."""
    with on_terminal([sys.executable, *arguments], columns=WIDE[0], rows=WIDE[1]) as program:
        program.wait_for(lambda: "running" in program.text, "the first frame")
        program.press("a")
        program.wait_for(lambda: "all clients" in program.text, "the dialogue of all clients")
        if exchanges:
            _show_exchanges(program)
        program.watch(settle + plan.warm)
        _report(program)
        began, octets = program.memory, program.octets
        program.watch(plan.window)
        told = _report(program)
        memory, octets = program.memory, program.octets - octets
        pressed = _press_keys(program, plan.keys)
        if drops:
            _find_gap(program)
        program.end()
    seconds = told["seconds"]
    lags, engine_lags = told["screen"]["lags"], told["engine"]["lags"]
    return [
        Figure("sessions running", told["running"], ""),
        Figure("lines shown", told["taken"] / seconds, "/s"),
        Figure("lines dropped and counted", told["dropped"] / seconds, "/s"),
        Figure("other facts", told["facts"] / seconds, "/s"),
        Figure("lag of the screen's loop, p50", 1000 * at(lags, 50), "ms"),
        Figure("lag of the screen's loop, p99", 1000 * at(lags, 99), "ms", screen),
        Figure("lag of the screen's loop, most", 1000 * max(lags), "ms"),
        Figure("lag of the sessions' loop, p50", 1000 * at(engine_lags, 50), "ms"),
        Figure("lag of the sessions' loop, p99", 1000 * at(engine_lags, 99), "ms", engine),
        Figure("lag of the sessions' loop, most", 1000 * max(engine_lags), "ms"),
        Figure("processor, all threads", told["cpu"] / seconds, "cores", cpu),
        Figure("processor, the screen's thread", told["screen"]["cpu"] / seconds, "cores"),
        Figure("processor, the sessions' thread", told["engine"]["cpu"] / seconds, "cores"),
        Figure("key to paint, p50", 1000 * at(pressed, 50), "ms"),
        Figure("key to paint, p95", 1000 * at(pressed, 95), "ms", keys),
        Figure("written to the terminal", octets / seconds / 1000, "kB/s"),
        Figure("memory at the end", memory, "MB"),
        Figure(f"memory, growth in {seconds:.0f} s", memory - began, "MB"),
    ]


def _first_frame(program: OnTerminal) -> float:
    """Wait for the first frame with clients in it."""
    return program.wait_for(lambda: "client-0006" in program.text, "the first frame")


def _show_exchanges(program: OnTerminal) -> None:
    for key in ("\t", "e", "\t"):
        program.press(key)
        program.watch(0.3)
    program.wait_for(lambda: "▸ RETR" in program.text, "the rows of exchanges")


def _report(program: OnTerminal) -> dict[str, Any]:
    program.forget()
    program.process.send_signal(signal.SIGUSR1)
    return program.report()


def _press_keys(program: OnTerminal, count: int) -> list[float]:
    """Move the selection up and down; return the seconds until its mark was drawn in the next row."""
    took: list[float] = []
    step = 1
    program.press("j")
    program.watch(0.5)
    for number in range(count):
        row = _mark(program)
        if number and number % 5 == 0:
            step = -step
        program.forget()
        pressed = time.perf_counter()
        program.press("j" if step > 0 else "k")
        wanted = row + step
        took.append(program.wait_for(lambda: _mark(program) == wanted, "the mark", 10.0) - pressed)  # noqa: B023
        # not in step with what the dashboard does ten times a second
        program.watch(0.137)
        program.wait_for(lambda: _mark(program) == wanted, "the selection, where it was,")  # noqa: B023
    return took


def _find_gap(program: OnTerminal) -> None:
    """Have lines dropped, and search for them in the transcript: the screen must tell them, in their place."""
    program.press("\t")
    program.watch(0.3)
    program.process.send_signal(signal.SIGUSR2)
    program.watch(STALL + 0.2)
    program.forget()
    for key in (" ", "/", "not shown", "\r"):
        program.press(key)
        program.watch(0.2)
    program.wait_for(lambda: "lines not shown …" in program.text, "the count of dropped lines", 10.0)


def _mark(program: OnTerminal) -> int:
    """The row in which the mark of the selected client was drawn last; 0 where it was not."""
    found = _MARK.findall(program.drawn)
    return int(found[-1]) if found else 0


def _idle_cpu(program: OnTerminal, seconds: float) -> float:
    before, begun = program.cpu, time.perf_counter()
    program.watch(seconds)
    return (program.cpu - before) / (time.perf_counter() - begun)


# --- the command ------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for and print it; return 0 whether goals are met or not: machines differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="measure for a shorter time, less exactly")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    plan = QUICK if asked.quick else LONG
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"{os.cpu_count()} processors, load {load}; Python {platform.python_version()}, Textual {textual.__version__}")
    for name in asked.scenarios or SCENARIOS:
        scenario = SCENARIOS[name]
        say(f"\n{name}: {scenario.__doc__}")
        with tempfile.TemporaryDirectory(prefix="tui-popretr-benchmark-") as folder:
            try:
                tell(scenario(plan, folder))
            except BenchmarkFailed as problem:
                say(f"  failed: {problem}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
