"""Private names of argparse, which has no public way to list the arguments of a parser.

Completion, the manual page and the tests of the documents need that list. Checked with Python 3.11. The tests of the
manual page and of completion use each name; shtab relies on them as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

#: A parser, or a group of arguments.
Container = argparse._ActionsContainer


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
