"""The command line: from arguments to an exit code, and the one place where errors become words."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui_popretr.cli.parser import PROGRAM, build_parser, normalise
from tui_popretr.errors import ExitCode, PopretrError, describe_os_error, out_of_threads
from tui_popretr.process.interpreter import collect
from tui_popretr.text import visible

if TYPE_CHECKING:
    from argparse import Namespace

_INTERRUPTED = 130  # as a shell shows a process that SIGINT ended
_READER_GONE = 141  # and SIGPIPE
_LINE_LIMIT = 16384


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say (default: the process's), tell on stderr what goes wrong, return the exit code."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:  # noqa: BLE001 - whatever it is, it needs an exit code
        code = _explain(problem)
    _abandon_unwritten()
    return int(code)


def _explain(problem: BaseException) -> int:
    """Tell on standard error what went wrong, and return the exit code."""
    problem = out_of_threads(problem) or problem
    match problem:
        case PopretrError():
            _tell(problem)
            return problem.exit_code
        case BrokenPipeError():
            return _READER_GONE
        case OSError():
            _tell(PopretrError(f"cannot write the output: {describe_os_error(problem)}"))
            return ExitCode.IO_ERROR
    if _is_interrupt(problem):
        _tell(PopretrError("interrupted"))
        return _INTERRUPTED
    import traceback

    with contextlib.suppress(OSError):
        traceback.print_exception(problem)
    _tell(PopretrError("internal error", advice="please report this, with the lines above"))
    return ExitCode.SOFTWARE


def _is_interrupt(problem: BaseException) -> bool:
    """Tell ctrl+c, which comes out of trio's nurseries in a group."""
    if isinstance(problem, BaseExceptionGroup):
        return problem.split(KeyboardInterrupt)[1] is None
    return isinstance(problem, KeyboardInterrupt)


def _run(arguments: Sequence[str]) -> int:
    try:
        parsed = build_parser().parse_args(normalise(arguments))
    except SystemExit as ending:  # --help and --version
        return ExitCode.OK if ending.code is None else int(ending.code)
    command = _load(parsed.command)
    collect()
    return command(parsed)


def _load(name: str) -> Callable[[Namespace], int]:
    """Return what carries out a command. Each is imported only when it is wanted: --once has to start quickly."""
    match name:
        case "run":
            from tui_popretr.cli.run import run
        case "init":
            from tui_popretr.cli.init.command import run
        case "check":
            from tui_popretr.cli.check import run
        case "mark-seen":
            from tui_popretr.cli.mark_seen import run
        case "import-seen":
            from tui_popretr.cli.import_seen import run
        case "info":
            from tui_popretr.cli.info import run
        case "transcript":
            from tui_popretr.cli.transcript import run
        case _:
            from tui_popretr.cli.demo import run
    return run


def _tell(problem: PopretrError) -> None:
    with contextlib.suppress(OSError):
        for text in (str(problem), problem.advice):
            if text:
                # its own line ends stay
                shown = "\n".join(visible(line, _LINE_LIMIT) for line in text.split("\n"))
                print(f"{PROGRAM}: {shown}", file=sys.stderr)


def _abandon_unwritten() -> None:
    """Let nothing be written that could not be: the interpreter would fail at its exit and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
