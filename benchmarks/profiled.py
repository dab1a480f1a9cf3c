"""Where the time goes: `python -m benchmarks.profiled [--row NAME]` profiles the program at one kind of work.

Each look is a run of its own, because each has its price: what start-up loads, every function in all threads
(yappi), system calls (strace, where it is installed). Durations under a profiler are no measurements.
"""

from __future__ import annotations

import argparse
import io
import os
import pstats
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.clients import Task, our_configuration, ours
from benchmarks.corpora import corpora
from benchmarks.delayproxy import far_away
from benchmarks.rows import rows
from benchmarks.store import Store
from benchmarks.turns import Course

_TOP = 40
_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( *)(\S+)")

#: Returns a command: what to put before the program's arguments.
Look = Callable[[Path], list[str]]


def _importing(_: Path) -> list[str]:
    return [sys.executable, "-X", "importtime", "-m", "tui_popretr"]


def _calling(folder: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.threads", str(folder / "calls")]


def _system(folder: Path) -> list[str]:
    return ["strace", "-f", "-c", "-S", "time", "-o", str(folder / "system"), sys.executable, "-m", "tui_popretr"]


def _imports(folder: Path) -> Iterator[str]:
    """The packages that take longest to load, with what they load themselves."""
    found = [
        (int(match[2]), len(match[3]) // 2, match[4])
        for match in map(_IMPORT.match, (folder / "said").read_text().splitlines())
        if match
    ]
    yield f"Start-up: {sum(took for took, depth, _ in found if not depth) / 1000:.0f} ms of loading; what took longest:"
    for took, depth, name in sorted(found, reverse=True)[:20]:
        yield f"{took / 1000:8.1f} ms  {'  ' * depth}{name}"


def _calls(folder: Path) -> Iterator[str]:
    """The functions that take longest, by themselves and with what they call."""
    yield "Processor time by thread, profiling included"
    yield (folder / "calls.threads").read_text()
    for order, title in (("tottime", "by themselves"), ("cumulative", "with what they call")):
        text = io.StringIO()
        pstats.Stats(str(folder / "calls"), stream=text).strip_dirs().sort_stats(order).print_stats(_TOP)
        yield f"Functions of all threads together, {title} (processor time)"
        yield text.getvalue()


def _system_calls(folder: Path) -> Iterator[str]:
    yield "System calls (seconds are the kernel's)"
    yield (folder / "system").read_text()


def profile(name: str, *, quick: bool, inside: str, folder: Path) -> Iterator[str]:
    """Run a row's work once for each look; yield what was seen, as lines. Every message is verified here too."""
    row, client = rows()[name], ours()
    looks: list[tuple[Look, Callable[[Path], Iterator[str]]]] = [(_importing, _imports), (_calling, _calls)]
    if shutil.which("strace"):
        looks.append((_system, _system_calls))
    with Store(inside) as store, far_away(store.tls_port if row.tls else store.port, row.milliseconds) as port:
        course = Course(store, corpora(quick)[row.corpus], folder)
        for look, tell in looks:

            def command(task: Task, look: Look = look) -> list[str]:
                return [*look(folder), "run", str(our_configuration(task)), "--headless", "--once"]

            turn = course.turn(name, replace(client, prepare=command), 1, port, tls=row.tls)
            yield f"\n=== {tell.__name__.strip('_').replace('_', ' ')}: {turn.seconds:.2f} s {turn.problem}"
            said = folder / "run" / "said"
            shutil.copy(said, folder / "said")
            yield from tell(folder)


def main() -> int:
    """Profile, and write what was seen to a file and to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--row", default="small", choices=rows())
    parser.add_argument("--quick", action="store_true", help="a tiny size, to see whether it works")
    parser.add_argument("--dir", default=os.environ.get("BENCH_DIR") or "/var/tmp", help="where mail goes (BENCH_DIR)")
    parser.add_argument("--store", default=os.environ.get("BENCH_STORE") or "/tmp", help="the server's mail")
    parser.add_argument("--out", default="build/profile.txt", help="the file for what was seen")
    chosen = parser.parse_args()
    os.makedirs(os.path.dirname(chosen.out) or ".", exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="popretr-bench-", dir=chosen.dir) as name, open(chosen.out, "w") as out:
        for text in profile(chosen.row, quick=chosen.quick, inside=chosen.store, folder=Path(name)):
            print(text)
            out.write(text + "\n")
    print(f"All of it is in {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
