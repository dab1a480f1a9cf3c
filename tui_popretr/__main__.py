"""The program's entry point: sets up the process, then runs the command line."""

from __future__ import annotations

import os
import sys

from tui_popretr.process.descriptors import occupy
from tui_popretr.process.encoding import use_utf8
from tui_popretr.process.interpreter import collect_later


def main() -> None:
    """Run the program and exit with its exit code."""
    occupy()
    use_utf8()
    collect_later()
    # Imported here, so that ctrl+c during the import is as quiet as later.
    try:
        from tui_popretr.process.setup import settle

        settle()
        from tui_popretr.cli.main import main as command_line
    except KeyboardInterrupt:
        sys.exit(130)
    code = command_line()
    # All output is flushed (cli.main). The interpreter's shutdown would take a tenth of the time of a run without mail.
    os._exit(code)


if __name__ == "__main__":
    main()
