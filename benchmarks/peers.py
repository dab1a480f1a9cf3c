"""How fast mail is retrieved, beside other programs: `python -m benchmarks.peers [--rows NAME,...]`. See README.md.

The clients of a row take turns in one run, so that what else happens on the machine happens to all of them. Each turn
ends with a look at every message: a client that lost, doubled or left one has no figures.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.clients import OURS, Client, mpop
from benchmarks.corpora import corpora
from benchmarks.delayproxy import far_away
from benchmarks.machine import describe, doubt_about
from benchmarks.report import tables
from benchmarks.results import Results, Turn, Work
from benchmarks.rows import BEST, PROCESSES, Row, rows
from benchmarks.store import Store
from benchmarks.turns import Course
from tests.support.dovecot import unavailable

#: What is not asked for by name: they need memory and time.
_BY_NAME = "growth-20k", "growth-100k"
_PACKAGE = Path(__file__).parents[1] / "tui_popretr"
_MEMORY = Path("/dev/shm")
_ROOM = 3 << 30


def compare(row: Row, course: Course, store: Store, turns: int, found: Results) -> None:
    """Have the row's clients take turns; the results are added to `found`, and a line is printed for each."""
    clients = [client for client in row.clients if client.installed]
    with far_away(store.tls_port if row.tls else store.port, row.milliseconds) as port:

        def take(client: Client, number: int) -> Turn:
            turn = course.turn(row.name, client, number, port, tls=row.tls)
            what = turn.problem or f"{turn.seconds:.3f} s" + (f", {turn.altered} altered" if turn.altered else "")
            print(f"{row.name}  {client.name}  {number or 'trial'}:  {what}", flush=True)
            return turn

        if row.best and mpop(1).installed:
            trials = [(_trial(take, mpop(processes)), processes) for processes in PROCESSES]
            best = min(trials)[1]
            clients.insert(2, replace(mpop(best), name=f"{BEST}, -P {best}"))
        found.rows.append(Work(row.name, row.what, course.corpus.messages, dict(row.goals), row.cpu, row.memory))
        for number in range(1, turns + 1):
            found.turns += [take(client, number) for client in clients if number <= client.turns]


def _trial(take: Callable[[Client, int], Turn], client: Client) -> float:
    trials = [take(client, 0) for _ in range(2)]
    return float("inf") if any(trial.problem for trial in trials) else median(trial.seconds for trial in trials)


def run(chosen: Sequence[Row], turns: int, folder: Path, inside: str, found: Results) -> None:
    """Run rows; those that follow each other with the same corpus share it."""
    made = corpora(found.quick)
    course: Course | None = None
    with Store(inside) as store:
        for row in chosen:
            if course is None or course.corpus.name != row.corpus:
                if course is not None:
                    course.clear()
                course = Course(store, made[row.corpus], folder)
            compare(row, course, store, turns, found)
        if course is not None:
            course.clear()


def main() -> int:
    """Run it; the exit code tells whether our turns all count."""
    chosen = _arguments()
    everything = rows(chosen.program)
    if unknown := set(chosen.rows or ()) - set(everything):
        print(f"There is no row {', '.join(sorted(unknown))}. There are: {', '.join(everything)}", file=sys.stderr)
        return 2
    if reason := unavailable():
        print(reason, file=sys.stderr)
        return 2
    os.makedirs(os.path.dirname(chosen.out) or ".", exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = [row for row in everything.values() if chosen.all or row.name not in _BY_NAME]
    if chosen.rows:
        wanted = [everything[name] for name in chosen.rows]
    if chosen.clients:
        wanted = [row.among(chosen.clients) for row in wanted]
    with tempfile.TemporaryDirectory(prefix="popretr-bench-", dir=chosen.dir) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the clients' user comes this way
        if doubt := doubt_about(name):
            print(f"Mind: {doubt}", file=sys.stderr)
        _compile(chosen.program)
        found = Results(chosen.quick, describe(name))
        turns = chosen.turns or (2 if chosen.quick else 5)
        try:
            run(wanted, turns, folder, chosen.store, found)
        finally:
            found.save(chosen.out)
    print(f"\n{tables(found)}\nThe results are in {chosen.out}")
    return int(any(turn.problem for turn in found.turns if turn.client.startswith(OURS)))


def _compile(program: str | None) -> None:
    """Have the program's bytecode there before the first turn."""
    command = [program, "--version"] if program else [sys.executable, "-m", "compileall", "-q", f"{_PACKAGE}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    parser.add_argument("--rows", type=lambda names: names.split(","), help="their names, with commas between")
    parser.add_argument(
        "--clients", type=lambda names: names.split(","), help="only these beside ours: mpop, fetchmail, getmail6, none"
    )
    parser.add_argument("--all", action="store_true", help=f"the long ones too: {', '.join(_BY_NAME)}")
    parser.add_argument("--turns", type=int, help="of each client (5; slow clients have fewer)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether it works")
    parser.add_argument("--program", type=os.path.abspath, help="another tui-popretr than the one of this environment")
    parser.add_argument(
        "--dir", default=os.environ.get("BENCH_DIR") or "/var/tmp", help="where mail is delivered (BENCH_DIR)"
    )
    parser.add_argument(
        "--store",
        default=os.environ.get("BENCH_STORE") or (str(_MEMORY) if roomy else "/tmp"),
        help="where the server has its mail (BENCH_STORE): best where it costs no disk",
    )
    parser.add_argument("--out", default="build/results.json", help="the file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
