"""Running a client, and what that took: time, processor, memory."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Whom others run as where the benchmark is root: some of them refuse to be root, and one wants a home that exists.
USER: Final = "daemon"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LAUNCH: Final = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took: seconds by the clock, seconds of processor time, and memory in octets.

    `memory` is the most of the largest process; where there are several at once, the most that was seen of all
    together, in which what they share is counted several times.
    """

    exit_code: int
    seconds: float
    cpu: float
    memory: int


def identity(as_us: bool) -> tuple[int, int]:
    """Return the user and the group that a client runs as: ours, or another than root."""
    if os.geteuid() == 0 and not as_us:
        user = pwd.getpwnam(USER)
        return user.pw_uid, user.pw_gid
    return os.geteuid(), os.getegid()


def spend(
    command: Sequence[str], home: Path, *, as_us: bool = True, together: bool = False, patience: float = 1800.0
) -> Spent:
    """Run a command to its end, and give it its home for that; what it says goes to the file `said` there.

    `together` looks at the memory of all its processes, five times a second. A command that takes longer than
    `patience`, in seconds, is killed, with exit code -9.
    """
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "USER": USER,
        "LOGNAME": USER,
    }
    report, theirs = os.pipe()
    program = shutil.which(command[0]) or command[0]
    uid, gid = identity(as_us)
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), f"{theirs}", f"{uid}", f"{gid}", program, *command[1:]]
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, gid)
        os.sync()
    with (home / "said").open("ab") as said, os.fdopen(report, "rb") as reported:
        process = subprocess.Popen(
            launch,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=home,
            env=environment,
            pass_fds=[theirs],
            start_new_session=True,
        )
        os.close(theirs)
        ended = threading.Event()
        seen = [0]
        watcher = threading.Thread(target=_watch_memory, args=(process.pid, ended, seen))
        if together:
            watcher.start()
        late = threading.Timer(patience, process.kill)
        late.start()
        told = b""
        try:
            told = reported.read()
        finally:
            late.cancel()
            ended.set()
            if not told:
                os.killpg(process.pid, signal.SIGKILL)  # what it had started goes on otherwise
            process.wait()
            if together:
                watcher.join()
    if not told:
        return Spent(-signal.SIGKILL, patience, 0.0, 0)
    spent = json.loads(told)
    return Spent(spent["exit_code"], spent["seconds"], spent["cpu"], max(seen[0], spent["memory"] * 1024))


def peak_memory(pid: int) -> int:
    """The most memory that a running process has used, in octets."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _watch_memory(pid: int, ended: threading.Event, most: list[int]) -> None:
    while not ended.wait(0.2):
        most[0] = max(most[0], sum(map(_memory, _descendants(pid))))


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _memory(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
