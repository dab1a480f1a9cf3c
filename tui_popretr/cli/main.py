"""The command line: from arguments to an exit code. The only place that turns errors into text."""

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
_ERROR = 3  # syslog's priority


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of the arguments (default: the process's), report errors on stderr, return the exit code."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:  # noqa: BLE001 - every error needs an exit code
        code = _explain(problem)
    _discard_unwritten()
    return int(code)


def _explain(problem: BaseException) -> int:
    """Report an error on standard error and return the exit code."""
    problem = out_of_threads(problem) or problem
    match problem:
        case PopretrError():
            _report(problem)
            return problem.exit_code
        case BrokenPipeError():
            return _READER_GONE
        case OSError():
            _report(PopretrError(f"cannot write the output: {describe_os_error(problem)}"))
            return ExitCode.IO_ERROR
    if _is_interrupt(problem):
        _report(PopretrError("interrupted"))
        return _INTERRUPTED
    import traceback

    with contextlib.suppress(OSError):
        traceback.print_exception(problem)
    _report(PopretrError("internal error", advice="please report this, with the lines above"))
    return ExitCode.SOFTWARE


def _is_interrupt(problem: BaseException) -> bool:
    """Whether an error is ctrl+c, which leaves trio's nurseries in a group."""
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
    """Return the function of a command. It is imported only when used, because --once has to start quickly."""
    match name:
        case "run":
            from tui_popretr.cli.run import run
        case "status":
            from tui_popretr.cli.status import run
        case "poll" | "pause" | "resume" | "stop" | "reload" | "shutdown":
            from tui_popretr.cli.steer import run
        case "tail":
            from tui_popretr.cli.tail import run
        case "waiting":
            from tui_popretr.cli.waiting import run
        case "init":
            from tui_popretr.cli.init.command import run
        case "check":
            from tui_popretr.cli.check import run
        case "login":
            from tui_popretr.cli.login.command import run
        case "mark-seen":
            from tui_popretr.cli.mark_seen import run
        case "import-seen":
            from tui_popretr.cli.import_seen import run
        case "info":
            from tui_popretr.cli.info import run
        case "hook":
            from tui_popretr.cli.hook import run
        case "attach":
            from tui_popretr.cli.attach import run
        case "service":
            from tui_popretr.cli.service.command import run
        case "transcript":
            from tui_popretr.cli.transcript import run
        case _:
            from tui_popretr.cli.demo import run
    return run


def _report(problem: PopretrError) -> None:
    from tui_popretr.cli.folding import folded
    from tui_popretr.process.systemd import mark

    with contextlib.suppress(OSError):
        for text in (str(problem), problem.advice):
            if text:
                # keep its line ends
                first, *more = (visible(line, _LINE_LIMIT) for line in text.split("\n"))
                for line in (f"{PROGRAM}: {first}", *more):
                    print(folded(mark(line, _ERROR), sys.stderr), file=sys.stderr)


def _discard_unwritten() -> None:
    """Discard output that cannot be written: else the interpreter would fail at exit and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "wb") as null:
                os.dup2(null.fileno(), stream.fileno())
