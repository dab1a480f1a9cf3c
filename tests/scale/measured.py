"""Runs the program, and at its end writes the most memory it ever used (octets) into the file named first."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_memory() -> int:
    """The highest resident size of this process so far, in octets.

    Not from getrusage: its figure starts with that of the process that made this one.
    """
    kilobytes = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert kilobytes is not None
    return int(kilobytes[1]) * 1024


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    from tui_popretr.cli.main import main
    from tui_popretr.process.setup import settle

    settle()
    code = main()
    target.write_text(f"{peak_memory()}")
    sys.exit(code)
