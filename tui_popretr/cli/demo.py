"""`tui-popretr demo`: shows the program at work on a mail server of its own."""

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
        help="where mail and logs go: a new or empty folder; otherwise a fresh one in the system's temporary folder",
    )
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether mail and logs stay when the demo is over, to be looked at; they do unless told otherwise",
    )
    parser.add_argument(
        "--headless", action="store_true", help="no dashboard: retrieve once and sum it up, as without a terminal"
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, on the dashboard where there is a terminal, and return the exit code.

    0 as scripted, 70 not as scripted. Raises CannotCreate where there is no folder to work in.
    """
    # here, since the parser of every other command passes through this module
    from tui_popretr.demo.folder import make_folder

    if arguments.headless or not _has_terminal():
        from tui_popretr.demo.run import run_once

        return run_once(make_folder(arguments.folder), sys.stdout, keep=arguments.keep)
    from tui_popretr.demo.run import run_watched
    from tui_popretr.process.terminal_state import TerminalState

    folder = make_folder(arguments.folder)
    return job.run(
        lambda: run_watched(folder, sys.stdout, keep=arguments.keep, no_mouse=arguments.no_mouse),
        restore=TerminalState().restore,
    )


def _has_terminal() -> bool:
    streams = (sys.stdin, sys.stdout)
    return os.environ.get("TERM") != "dumb" and all(stream is not None and stream.isatty() for stream in streams)
