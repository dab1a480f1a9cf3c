"""The program's entry point: settles the process, then does what the command line says."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program and exit with its exit code."""
    # Inside, so that ctrl+c while they load is as quiet as later.
    try:
        from tui_popretr.cli.main import main as command_line
        from tui_popretr.cli.process import settle
    except KeyboardInterrupt:
        sys.exit(130)
    settle()
    sys.exit(command_line())


if __name__ == "__main__":
    main()
