"""systemd's checks of units, by systemd-analyze."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

#: The largest exposure that systemd-analyze may find, in tenths.
THRESHOLD = "20"


def systemd() -> str:
    return (
        "" if shutil.which("systemd-analyze") else "systemd-analyze is not installed (Debian: apt-get install systemd)"
    )


def analyze(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr
