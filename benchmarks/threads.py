"""The program under yappi, which profiles all its threads: `python -m benchmarks.threads TARGET ARGUMENT ...`.

The processor time of each function in all threads together goes to the file TARGET, for pstats, and that of each thread
to TARGET.threads.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Final, NoReturn

import yappi

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _end(target: str) -> None:
    yappi.stop()
    # Threads that wait for work go on; what has not returned yet is left out.
    yappi.convert2pstats(yappi.get_func_stats()).dump_stats(target)
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
    leave = os._exit

    def end_and_leave(status: int) -> NoReturn:  # the program's way out, which runs nothing at exit
        _end(target)
        leave(status)

    os._exit = end_and_leave
    yappi.set_clock_type("cpu")  # by the wall clock, a coroutine that waits would seem to work
    yappi.start(builtins=True)
    from tui_popretr.__main__ import main as program

    program()


if __name__ == "__main__":
    main()
