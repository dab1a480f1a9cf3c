"""The program under cProfile, each of its threads by itself: `python -m benchmarks.threads TARGET ARGUMENT ...`.

What each function cost in all threads together goes to the file TARGET, for pstats, and the processor time of each
thread to TARGET.threads. Python 3.11: in later ones a profile cannot be one thread's own.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_profiles: list[cProfile.Profile] = []


def _begin(frame: FrameType, event: str, argument: Any) -> None:
    """Called at the first event of a thread, in its place from then on."""
    profile = cProfile.Profile()
    _profiles.append(profile)
    profile.enable()


def _end(main: cProfile.Profile, target: str) -> None:
    main.disable()
    # Threads that wait for work go on; what has not returned yet is left out.
    pstats.Stats(main, *_profiles).dump_stats(target)
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    used = []
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        used.append(((int(fields[11]) + int(fields[12])) / _TICKS, names.get(int(task.name), "ended or unknown")))
    told = "".join(f"{seconds:8.2f} s  {name}\n" for seconds, name in sorted(used, reverse=True))
    Path(f"{target}.threads").write_text(told)


def main() -> None:
    """Run the program with the arguments that follow the target."""
    target = sys.argv.pop(1)
    if sys.version_info >= (3, 12):
        sys.exit("each thread has a profile of its own in Python 3.11 only")
    profile = cProfile.Profile()
    leave = os._exit

    def end_and_leave(status: int) -> NoReturn:  # the program's way out, which runs nothing at exit
        _end(profile, target)
        leave(status)

    os._exit = end_and_leave
    threading.setprofile(_begin)
    profile.enable()
    from tui_popretr.__main__ import main as program

    program()


if __name__ == "__main__":
    main()
