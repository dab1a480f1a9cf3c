"""`transcript`: shows a transcript log as in the dashboard."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from tui_popretr.errors import UsageError


def run(arguments: Namespace) -> int:
    """Show the log file until the user quits; return the exit code. Raises UsageError."""
    # Textual draws on standard error.
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if not terminal or os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise UsageError("transcript needs a terminal to draw on", advice=f"without one: less {arguments.file}")
    from tui_popretr.ui.shell.viewer import run_transcript

    return run_transcript(arguments.file, no_mouse=arguments.no_mouse)
