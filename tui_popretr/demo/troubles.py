"""What went wrong in the demo, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tui_popretr.errors import PopretrError, describe_os_error


def explained(problem: BaseException) -> list[str]:
    """Return why something ended, a text for each exception within what trio's nurseries made of it."""
    return [_in_words(leaf) for leaf in _leaves(problem)]


def _in_words(problem: BaseException) -> str:
    match problem:
        case PopretrError():
            return str(problem)
        case OSError():
            return describe_os_error(problem)
        case _:
            return repr(problem)


def _leaves(problem: BaseException) -> Iterator[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        for inner in problem.exceptions:
            yield from _leaves(inner)
    else:
        yield problem
