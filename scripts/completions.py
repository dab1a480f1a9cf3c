"""Writes docs/completions/, the completion scripts that a package installs, from the parser of the command line.

Run as a module from the project's folder: python -m scripts.completions
"""

from __future__ import annotations

import sys
from pathlib import Path

from tui_popretr.cli.completion import script
from tui_popretr.cli.parser import PROGRAM

FOLDER = Path(__file__).parents[1] / "docs" / "completions"
#: The name by which each shell finds the script.
NAMES = {"bash": PROGRAM, "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for shell, name in NAMES.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")
        sys.stdout.write(f"written: {FOLDER / name}\n")
