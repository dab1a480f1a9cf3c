"""What a daemon costs whose clients have no mail: `python -m benchmarks.idle [--clients N] [--freq SECONDS]`.

The server is another process, which notes when each session began and ended. A client is due its period after its last
session's end: what it comes later is its lateness. Processor time is taken over one whole period, from when all clients
have been polled until each has been polled again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from benchmarks.clients import OURS, Task, our_configuration
from benchmarks.machine import describe
from benchmarks.process import peak_memory
from benchmarks.report import tables
from benchmarks.results import Results
from benchmarks.serving import serving

#: The first sessions of a large fleet are spread over so long, seconds (docs/configuration.md).
_SPREAD = 60.0
#: Seconds beyond what it should take.
_PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")

#: A client's sessions: when each began and ended.
Sessions = Mapping[str, Sequence[tuple[float, float]]]


class IdleFailed(Exception):
    """Clients were not polled as they should be."""


def read_sessions(lines: Iterable[str]) -> Sessions:
    """Read what the server noted, by client."""
    sessions: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in lines:
        begun, ended, user = line.split()
        sessions[user].append((float(begun), float(ended)))
    return {user: sorted(times) for user, times in sessions.items()}


def lateness(sessions: Sessions, period: float) -> list[float]:
    """Return by how much each session but a client's first was late, in seconds, in rising order."""
    return sorted(begun - (ended + period) for times in sessions.values() for (_, ended), (begun, _) in pairwise(times))


def measure(clients: int, period: float, folder: Path) -> dict[str, float]:
    """Run a daemon for a period after its first polls, and say what it cost. Raises IdleFailed."""
    record = folder / "sessions"
    with serving("benchmarks.nomail", record) as port, _daemon(port, clients, period, folder) as process:
        deadline = time.monotonic() + min(_SPREAD, period) + _PATIENCE
        begun, cpu = _when_polled(record, 1, clients, process, deadline)
        again, used = _when_polled(record, 2, clients, process, deadline + period)
        memory = peak_memory(process.pid)
        sessions = read_sessions(record.read_text().splitlines())
    late = lateness(sessions, period)
    return {
        "clients": clients,
        "period": period,
        "window": again - begun,
        "polled": sum(len(times) > 1 for times in sessions.values()),
        "late p50": _at(late, 50),
        "late p99": _at(late, 99),
        "late most": late[-1],
        "cpu": (used - cpu) / (again - begun),
        "memory": memory,
    }


def _when_polled(
    record: Path, times: int, clients: int, process: subprocess.Popen[bytes], deadline: float
) -> tuple[float, float]:
    """Wait until each client had so many sessions; return when that was, and the processor time until then."""
    counts: dict[str, int] = defaultdict(int)
    full = 0
    with record.open() as noted:
        while full < clients:
            if process.poll() is not None or time.monotonic() > deadline:
                raise IdleFailed(f"{full} of {clients} clients were polled {times} times; exit code {process.poll()}")
            time.sleep(0.05)
            for line in noted:
                user = line.rpartition(" ")[2]
                counts[user] += 1
                full += counts[user] == times
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return time.monotonic(), (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _daemon(port: int, clients: int, period: float, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    told = "".join(
        f'<client id="c{number}" recip="c{number}" freq="{period:.0f}s"><server address="127.0.0.1:{port}">'
        f"<username>user{number}</username><password>secret</password></server>"
        f"<maildir>{folder}/mail</maildir></client>"
        for number in range(clients)
    )
    settings = '<delay_start>0</delay_start><concurrency total="64" perserver="64"/>'
    path = our_configuration(Task(folder, port, ()), told, settings)
    program = os.path.join(os.path.dirname(sys.executable), OURS)
    with (folder / "said").open("wb") as said:
        command = [program, "run", str(path), "--headless", "-q"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _at(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def main() -> int:
    """Run it, print what was found, and write it to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--freq", type=float, default=300.0, help="seconds between a client's sessions (300)")
    parser.add_argument("--quick", action="store_true", help="100 clients every 10 seconds, to see whether it works")
    parser.add_argument("--dir", default=os.environ.get("BENCH_DIR") or "/var/tmp", help="for logs (BENCH_DIR)")
    parser.add_argument("--out", default="build/idle.json", help="the file for the results")
    chosen = parser.parse_args()
    clients, period = (100, 10.0) if chosen.quick else (chosen.clients, chosen.freq)
    print(
        f"{clients:,} clients, polled every {period:.0f} s: that takes {period + min(_SPREAD, period):.0f} s and more."
    )
    with tempfile.TemporaryDirectory(prefix="popretr-bench-", dir=chosen.dir) as folder:
        results = Results(chosen.quick, describe(folder))
        results.daemon = measure(clients, period, Path(folder))
    os.makedirs(os.path.dirname(chosen.out) or ".", exist_ok=True)
    results.save(chosen.out)
    print(f"\n{tables(results)}\nThe results are in {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
