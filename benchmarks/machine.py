"""Where it was measured: what a reader must know of the machine to compare."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: Programs whose versions matter, and how each is asked.
_VERSIONS = {
    "Dovecot": ["dovecot", "--version"],
    "mpop": ["mpop", "--version"],
    "fetchmail": ["fetchmail", "--version"],
    "getmail6": ["getmail", "--version"],
    "OpenSSL": ["openssl", "version"],
}


def describe(folder: str) -> dict[str, str]:
    """Return what is known of the machine, of the disk that a folder is on, and of the programs."""
    processor = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    told = {
        "processor": f"{os.cpu_count()} × {processor[1].strip() if processor else platform.machine()}",
        "memory": f"{int(memory[1]) / 1e6:.0f} GB" if memory else "",
        "system": f"{platform.system()} {platform.release()}",
        "file system": ", ".join(filter(None, _disk(folder))),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
    }
    told |= {name: _version(command) for name, command in _VERSIONS.items()}
    return {name: value for name, value in told.items() if value}


def doubt_about(folder: str) -> str:
    """Say in a sentence why figures from this folder mean little, if so: fsync must cost what it costs on a disk."""
    kind, journal = _disk(folder)
    if kind in ("tmpfs", "ramfs", "overlay"):
        return f"{folder} is on {kind}, where fsync costs nothing or something else: give BENCH_DIR a folder on a disk."
    if kind == "ext4" and not journal:
        return f"{folder} is on an ext4 without a journal, where fsync costs too little: give BENCH_DIR another folder."
    return ""


def _disk(folder: str) -> tuple[str, str]:
    """The kind of file system, and what is said of its journal where it has one."""
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == number:
            kind, source = after.split()[:2]
            name = Path(os.path.realpath(source)).name
            journal = any(path.name.startswith(f"{name}-") for path in Path("/proc/fs/jbd2").glob("*"))
            return kind, "with a journal" if journal else ""
    return "", ""


def _version(command: Sequence[str]) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    number = re.search(r"\d+(\.\d+)+\S*", said.stdout)
    return number[0] if number else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
