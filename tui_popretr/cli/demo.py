"""`tui-popretr demo`: shows the program at work on a mail server of its own."""

from __future__ import annotations

import argparse
import sys


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


def run(args: argparse.Namespace) -> int:
    """Run the demo and return the exit code: 0 as scripted, 70 not as scripted.

    Raises CannotCreate where there is no folder to work in.
    """
    # here, since the parser of every other command passes through this module
    from tui_popretr.demo.folder import make_folder
    from tui_popretr.demo.once import run_once

    return run_once(make_folder(args.folder), sys.stdout, keep=args.keep)
