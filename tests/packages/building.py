"""Builds the packages, and installs a wheel where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def build(folder: Path, *, project: Path = PROJECT) -> tuple[Path, Path]:
    """Build wheel and sdist into `folder`, with the hatchling of this environment; return their paths."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=project, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


def install(wheel: Path, prefix: Path) -> None:
    """Install a wheel, without what it depends on, into a virtual environment that is created at `prefix`."""
    venv.create(prefix, symlinks=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(prefix / "bin" / "python")),
            *("install", "--quiet", "--no-index", "--no-deps", str(wheel)),
        ],
        check=True,
        capture_output=True,
    )
