"""Private names of argparse, which has no public way to list the arguments of a parser, or to wrap only prose.

Completion, the manual page and the tests of the documents need that list. Checked with Python 3.11. The tests of the
manual page, of completion and of the help use each name; shtab relies on them as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

#: A parser, or a group of arguments.
Container = argparse._ActionsContainer


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Wraps descriptions and epilogs for a terminal. Indented lines, and the output to a pipe, stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if sys.stdout is None or not sys.stdout.isatty():
            return super()._fill_text(text, width, indent)
        from tui_popretr.cli.folding import refilled

        return super()._fill_text(refilled(text, width), width, indent)


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a parser, without those of its commands."""
    return [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by name; {} if there are none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    yield from actions(parser)
    for command in commands(parser).values():
        yield from all_actions(command)


def may_be_repeated(action: argparse.Action) -> bool:
    """Whether an option may be given several times, and each value counts."""
    return isinstance(action, argparse._AppendAction)
