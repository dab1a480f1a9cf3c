"""Surroundings that are played: libraries in C that the real program preloads, built by the system's compiler.

fs.c plays file systems that cannot do everything.
"""

from __future__ import annotations

import atexit
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.program import needs

_SOURCES = Path(__file__).parent


def file_system(prefix: Path | None = None, **rules: int) -> dict[str, str]:
    """Return the environment of a program that is to find such a file system below `prefix`, or everywhere.

    `rules` are those of fs.c: `link=errno.EPERM`, `free=0`. Skips the test where there is no compiler; fails it there
    under CI=true.
    """
    environ = {
        "LD_PRELOAD": str(_built("fs")),
        "SHIM_FS": ",".join(f"{name}={number}" for name, number in rules.items()),
    }
    return environ if prefix is None else {**environ, "SHIM_PREFIX": str(prefix)}


def poorest(prefix: Path | None = None, **more: int) -> Mapping[str, str]:
    """One without hard links, fsync of folders, flock, shared memory, and a count of its free space."""
    missing = {
        "link": errno.EACCES,
        "fsyncdir": errno.EINVAL,
        "flock": errno.ENOLCK,
        "mmap": errno.ENODEV,
        "statvfs": errno.ENOSYS,
    }
    return file_system(prefix, **{**missing, **more})


@cache
def _built(name: str) -> Path:
    """Return the library, built once a process."""
    needs.need(needs.compiler)
    folder = tempfile.mkdtemp(prefix="shim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder, f"{name}.so")
    command = [
        "cc" if shutil.which("cc") else "gcc",
        "-shared",
        "-fPIC",
        "-O2",
        "-Wall",
        "-Werror",
        "-o",
        str(library),
        str(_SOURCES / f"{name}.c"),
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library
