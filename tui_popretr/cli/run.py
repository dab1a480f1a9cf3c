"""`run`: retrieve mail, on schedule or once."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from typing import Final

from tui_popretr.cli import configuration
from tui_popretr.cli.places import locate
from tui_popretr.config.model import LogSettings
from tui_popretr.config.problems import Severity
from tui_popretr.engine.bus import Bus, Subscriber
from tui_popretr.engine.service import Engine
from tui_popretr.errors import UsageError
from tui_popretr.headless.progress import Progress
from tui_popretr.headless.run import run_headless

_LEVELS: Final = ("error", "warning", "info", "debug")
_NORMAL: Final = 2


def run(arguments: Namespace) -> int:
    """Retrieve mail as the arguments say and return the exit code. Raises PopretrError."""
    if not arguments.headless:
        raise UsageError(
            "the dashboard is not in this version yet", advice="add --headless to retrieve mail without a dashboard"
        )
    file = locate(arguments.config)
    shown = {Severity.ERROR, Severity.WARNING}
    settings = configuration.read(file, shown=frozenset(Severity if arguments.verbose else shown))
    settings = configuration.choose(settings, arguments.clients)
    verbosity = arguments.verbose - arguments.quiet
    if not arguments.once:
        reloader = partial(configuration.read_again, file, arguments.clients)
        engine = Engine(settings, Bus(_report_defect), reloader=reloader, trace_fallback=_trace(verbosity))
        return run_headless(engine)
    settings = configuration.at_once(settings)
    if verbosity == 0 and sys.stderr is not None and sys.stderr.isatty():
        progress = Progress([client.id for client in settings.clients], sys.stderr)
        return run_headless(Engine(settings, Bus(_report_defect)), once=True, progress=progress)
    return run_headless(Engine(settings, Bus(_report_defect), trace_fallback=_trace(verbosity)), once=True)


def _trace(verbosity: int) -> LogSettings:
    """Where the program's own log goes when the configuration names no place."""
    level = _LEVELS[min(max(_NORMAL + verbosity, 0), len(_LEVELS) - 1)]
    return LogSettings("%stderr%", flush=0.0, level=level)


def _report_defect(subscriber: Subscriber, problem: Exception) -> None:
    print(f"internal error: {subscriber!r} failed and is left out: {problem!r}", file=sys.stderr)
