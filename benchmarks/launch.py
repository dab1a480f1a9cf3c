"""Runs a command as another user and reports what it took; a script by itself, so small that its memory is no matter.

    launch.py REPORT UID GID /PATH/OF/PROGRAM ARGUMENT ...

A JSON object goes to the descriptor REPORT when the command has ended: its exit code, the seconds by the clock, the
processor time and the most memory of one process (kilobytes), its children included. A process is charged with the
memory of the one that made it, which is why this is not done by the benchmark itself (getrusage(2), ru_maxrss).
"""

import json
import os
import sys
import time


def main(report: int, uid: int, gid: int, command: list[str]) -> None:
    """Do it."""
    begun = time.perf_counter()
    child = os.fork()
    if not child:
        os.close(report)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    told = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - begun,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss,
    }
    os.write(report, json.dumps(told).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
