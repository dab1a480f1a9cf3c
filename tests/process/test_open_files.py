"""The limit of open files: raised for this process, and for its commands as it was, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.waiting import PATIENCE

#: Starts commands that print their limit, in several threads at once. `SOFT` and `TAKEN` are filled in.
PROCESS = """
import json, os, resource, subprocess
from concurrent.futures import ThreadPoolExecutor
from tui_popretr.process import children

commands = children.ChildProcesses()

def own():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

def limit_of_a_command(number):
    argv = ["sh", "-c", "ulimit -n"] if number % 5 else ["/nowhere/command"]
    try:
        process = commands.start(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    with process:
        said = int(process.stdout.read())
    commands.unregister(process.pid)
    return said

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
children.raise_open_files()
taken = [os.open("/", os.O_RDONLY) for _ in range(TAKEN)]
with ThreadPoolExecutor(8) as pool:
    limits = list(pool.map(limit_of_a_command, range(40)))
print(json.dumps([hard, own(), sorted({limit or 0 for limit in limits})]))
"""


def run(soft: int, taken: int) -> tuple[int, int, list[int]]:
    code = PROCESS.replace("SOFT", str(soft)).replace("TAKEN", str(taken))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    hard, own, limits = json.loads(done.stdout)
    return hard, own, limits


def test_simultaneous_commands_have_the_old_limit() -> None:
    hard, own, limits = run(1024, 100)
    assert own == hard
    assert limits == [0, 1024]  # 0: could not be started


def test_with_too_many_files_open_the_limit_is_not_lowered() -> None:
    hard, own, limits = run(300, 400)
    assert own == hard
    assert limits == [0, hard]


def test_a_limit_that_cannot_be_raised() -> None:
    hard = run(64, 0)[0]
    same, own, limits = run(hard, 0)
    assert (same, own, limits) == (hard, hard, [0, hard])
