"""Completion of the command line for shells, made from its parser by shtab."""

from __future__ import annotations

import shtab

from tui_popretr.cli.argparse_private import all_actions
from tui_popretr.cli.parser import build_parser

_PATHS = {"CONFIG": shtab.FILE, "FILE": shtab.FILE, "DIR": shtab.DIRECTORY}


def script(shell: str) -> str:
    """Return the script that completes the program's arguments. `shell` is one of parser.SHELLS."""
    parser = build_parser(run_is_implied=True)
    for action in all_actions(parser):
        if isinstance(action.metavar, str) and action.metavar in _PATHS:
            # Where shtab looks for it.
            setattr(action, "complete", _PATHS[action.metavar])  # noqa: B010
    return shtab.complete(parser, shell)
