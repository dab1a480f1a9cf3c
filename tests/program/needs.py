"""The tools that tests need of the machine. Without one, a test is skipped; under CI=true it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

#: Seconds that any of these may take on a busy machine.
_PATIENCE = 20.0


def need(*means: Callable[[], str]) -> None:
    """Skip the test with the reason if one of `means` is missing; under CI=true, fail it."""
    for reason in filter(None, (each() for each in means)):
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@cache
def mounting() -> str:
    """Say why nothing can be mounted in a namespace; "" where it can."""
    if os.geteuid() != 0:
        return "mounting file systems needs root"
    if trouble := _missing("unshare", "util-linux"):
        return trouble
    script = "mount -t tmpfs -o size=64k none /mnt && mount -o remount,ro /mnt"
    return _trial("nothing may be mounted here (CAP_SYS_ADMIN)", "unshare", "--mount", "sh", "-ec", script)


@cache
def network() -> str:
    """Say why there can be no network that can be cut; "" where there can."""
    if os.geteuid() != 0:
        return "cutting networks needs root"
    if trouble := _missing("ip", "iproute2"):
        return trouble
    script = "ip link set lo up && ip rule add pref 1 ipproto tcp dport 9 unreachable"
    return _trial("no network can be made here (CAP_SYS_ADMIN)", "unshare", "--net", "sh", "-ec", script)


@cache
def tracing() -> str:
    """Say why the program's system calls cannot be watched; "" where they can."""
    return _missing("strace", "strace") or _trial(
        "strace may not trace processes here (ptrace(2))", "strace", "-qq", "-o", os.devnull, "true"
    )


@cache
def compiler() -> str:
    """Say why nothing can be compiled; "" where it can."""
    return "" if shutil.which("cc") else _missing("gcc", "gcc libc6-dev")


@cache
def browsing() -> str:
    """Say why no browser of others can log in at a provider of others; "" where it can."""
    packages = {"node": "nodejs", "npm": "npm", "chromium": "chromium"}
    return next(filter(None, (_missing(program, package) for program, package in packages.items())), "")


@cache
def tampering() -> str:
    """Say why the program's system calls cannot be made to fail; "" where they can."""
    if trouble := _missing("strace", "strace"):
        return trouble
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = ["strace", "-f", "--seccomp-bpf", "-o", str(log), "--inject=fsync:error=EIO", "sync", folder]
        if trouble := _trial("strace may not trace here (ptrace)", *command, expected=1):
            return trouble
        return "" if "INJECTED" in log.read_text() else "this strace cannot inject errors"


@cache
def powerlessness() -> str:
    """Say why a process cannot be kept to the permissions of files; "" where it can."""
    if os.geteuid() != 0:
        return ""
    return _missing("setpriv", "util-linux") or _trial("root's powers cannot be given up", *without_powers(), "true")


@cache
def another_clock() -> str:
    """Say why a process cannot be shown another wall clock; "" where it can."""
    return "" if faketime() else "faketime is not installed (Debian, Ubuntu: apt-get install faketime)"


@cache
def faketime() -> str:
    """Return the path of the library that shows a process another time, "" where there is none."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else ""


def without_powers() -> list[str]:
    """Return the start of a command line whose rest has to obey the permissions of files, also where we are root."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def _missing(program: str, package: str) -> str:
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    return "" if found else f"{program} is not installed (Debian, Ubuntu: apt-get install {package})"


def _trial(reason: str, *command: str, expected: int = 0) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    return "" if done.returncode == expected else f"{reason}: {(done.stderr or done.stdout).strip()}"
