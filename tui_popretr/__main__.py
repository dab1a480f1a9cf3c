"""The program's entry point: settles the process, then does what the command line says."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the program and exit with its exit code."""
    gc.disable()  # while modules are loaded there is no garbage, and much to look through
    # Inside, so that ctrl+c while they load is as quiet as later.
    try:
        from tui_popretr.cli.main import main as command_line
        from tui_popretr.cli.process import settle
    except KeyboardInterrupt:
        sys.exit(130)
    settle()
    code = command_line()
    # What was to be written is with the system (cli.main). Taking the interpreter apart would take a tenth of the time
    # of a run that finds no mail.
    os._exit(code)


if __name__ == "__main__":
    main()
