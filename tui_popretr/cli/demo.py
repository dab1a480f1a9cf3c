"""`tui-popretr demo`: shows the program with a mail server of its own."""

from __future__ import annotations

import argparse
import os
import sys

from tui_popretr.process import job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo`."""
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="folder for mail and logs, new or empty (default: a new one among the system's temporary files)",
    )
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep mail and logs when the demo ends (default: yes)",
    )
    parser.add_argument(
        "--headless", action="store_true", help="no dashboard: retrieve once and print a summary, as without a terminal"
    )
    parser.add_argument(
        "--daemon",
        action="store_true",
        help="no dashboard: retrieve until ctrl+c, and show how to attach a dashboard from another terminal",
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, on the dashboard if there is a terminal, and return the exit code.

    The code is 70 if a session did not end as expected. Raises CannotCreate.
    """
    # imported here, since the parser of every command imports this module
    from tui_popretr.demo.folder import make_folder
    from tui_popretr.demo.run import run_once, run_watched
    from tui_popretr.process.terminal_state import TerminalState

    folder = make_folder(arguments.folder)
    if arguments.daemon:
        from tui_popretr.demo.daemon import run_daemon

        return run_daemon(folder, sys.stdout, keep=arguments.keep)
    if arguments.headless or not _has_terminal():
        return run_once(folder, sys.stdout, keep=arguments.keep)
    return job.run(
        lambda: run_watched(folder, sys.stdout, keep=arguments.keep, no_mouse=arguments.no_mouse),
        restore=TerminalState().restore,
    )


def _has_terminal() -> bool:
    streams = (sys.stdin, sys.stdout)
    return os.environ.get("TERM") != "dumb" and all(stream is not None and stream.isatty() for stream in streams)
