"""Completion of the command line for shells, made from its parser by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from tui_popretr.cli.parser import build_parser

_PATHS = {"CONFIG": shtab.FILE, "FILE": shtab.FILE, "DIR": shtab.DIRECTORY}


def script(shell: str) -> str:
    """Return what a shell has to read to complete the program's arguments. `shell` is one of parser.SHELLS."""
    parser = build_parser(run_is_implied=True)
    for action in _actions(parser):
        if isinstance(action.metavar, str) and action.metavar in _PATHS:
            # Where shtab looks for it.
            setattr(action, "complete", _PATHS[action.metavar])  # noqa: B010
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
