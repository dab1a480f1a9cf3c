"""`run`: retrieve mail, on schedule or once."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from tui_popretr.bus import Bus
from tui_popretr.cli import configuration, first_start
from tui_popretr.cli.companions import add_daemon, add_once
from tui_popretr.cli.config_path import ConfigurationFile, locate
from tui_popretr.config.model import LogSettings, Settings
from tui_popretr.config.problems import Severity
from tui_popretr.engine.service import Engine
from tui_popretr.errors import DaemonUnavailable, JournalLocked, NoConfiguration, UsageError
from tui_popretr.headless.progress import Progress
from tui_popretr.headless.run import run_headless
from tui_popretr.process import job
from tui_popretr.process.resources import demand
from tui_popretr.process.systemd import ServiceManager, mark, take_manager
from tui_popretr.status import KEPT
from tui_popretr.text import visible

if TYPE_CHECKING:
    from tui_popretr.control.client import ControlClient

_LEVELS: Final = ("error", "warning", "info", "debug")
_NORMAL: Final = 2


def run(arguments: Namespace) -> int:
    """Retrieve mail according to the arguments and return the exit code. Raises PopretrError."""
    manager = take_manager(os.environ)
    if arguments.json and not arguments.once:
        raise UsageError(
            "--json reports a single run", advice="add --headless --once; or see tui-popretr status --json"
        )
    try:
        file = locate(arguments.config, arguments.naf)
    except NoConfiguration as problem:
        if not first_start.offers(arguments):
            raise
        return first_start.offer(problem, arguments)
    if not arguments.headless:
        _require_terminal(arguments)
    verbosity = arguments.verbose - arguments.quiet
    # A full disk under the log of a cron job must not keep mail on the servers.
    settings = configuration.read(file, shown=_shown(verbosity), must_report=False)
    settings = configuration.choose(settings, arguments.clients)
    if arguments.headless:
        demand()
        with _advice_beside(arguments):
            return _without_dashboard(arguments, settings, file, manager)
    from tui_popretr.cli import attach  # here, because a single run needs neither it nor the control socket

    daemon, reason = _daemon(file)
    if daemon is not None and not arguments.clients:
        return attach.show(daemon, file, no_mouse=arguments.no_mouse)
    if daemon is not None:
        daemon.close()
        raise JournalLocked(
            f"a daemon runs with {visible(file.path, 4096)} (process {daemon.hello.pid}); --client does not change it",
            advice=advice_beside(arguments.config, arguments.clients),
        )
    demand()
    from tui_popretr.process.terminal_state import TerminalState
    from tui_popretr.ui.shell.defects import Defects
    from tui_popretr.ui.shell.run import run_dashboard

    def dashboard() -> int:
        reloader = partial(configuration.read_again, file, arguments.clients)
        defects, title = Defects(), os.path.basename(file.path)
        engine = Engine(settings, Bus(defects), reloader=reloader, until_done=False, remember=KEPT)
        add_daemon(engine, file.path)
        with _advice_beside(arguments, reason):
            return run_dashboard(engine, no_mouse=arguments.no_mouse, title=title, config=file.path, defects=defects)

    return job.run(dashboard, restore=TerminalState().restore)


@contextmanager
def _advice_beside(arguments: Namespace, reason: str = "") -> Iterator[None]:
    """Add what to do if another process uses the journal; `reason`: why no dashboard could be attached to it."""
    try:
        yield
    except JournalLocked as problem:
        if problem.advice != JournalLocked.default_advice:  # another program, such as a database browser
            raise
        text = f"{problem}, and no dashboard can be attached to it: {reason}" if reason else str(problem)
        raise JournalLocked(text, advice=advice_beside(arguments.config, arguments.clients)) from problem


def advice_beside(config: str | None, clients: Sequence[str] = ()) -> str:
    """Return what to do if another process uses the journal; the arguments are those of the command line."""
    which = [each for client in clients for each in ("--client", client)] or ["--all"]
    poll = shlex.join(["tui-popretr", "poll", *([] if config is None else [config]), *which, "--wait"])
    return f"{JournalLocked.default_advice}, or let it retrieve: {visible(poll, 4096)}"


def _without_dashboard(
    arguments: Namespace, settings: Settings, file: ConfigurationFile, manager: ServiceManager | None
) -> int:
    """Retrieve mail on schedule or once; return the exit code. Raises PopretrError."""
    verbosity = arguments.verbose - arguments.quiet
    if not arguments.once:
        reloader = partial(configuration.read_again, file, arguments.clients)
        engine = Engine(
            settings, Bus(_report_defect), reloader=reloader, trace_fallback=_trace(verbosity), remember=KEPT
        )
        add_daemon(engine, file.path)
        if manager is not None:
            from tui_popretr.headless.systemd import SystemdTask

            engine.companions.append(SystemdTask(engine, manager))
        return run_headless(engine)
    settings = settings.at_once()
    if arguments.json:
        from tui_popretr.cli.reports import print_report, run_report

        engine = _once(settings, _trace(verbosity))
        code = run_headless(engine, once=True)
        print_report(run_report(code, engine.results))
        return code
    if verbosity == 0 and sys.stderr is not None and sys.stderr.isatty():
        progress = Progress([client.id for client in settings.clients], sys.stderr)
        return run_headless(_once(settings, None), once=True, progress=progress)
    return run_headless(_once(settings, _trace(verbosity)), once=True)


def _once(settings: Settings, trace: LogSettings | None) -> Engine:
    """Return the engine of a single run."""
    engine = Engine(settings, Bus(_report_defect), trace_fallback=trace)
    add_once(engine)
    return engine


def _daemon(file: ConfigurationFile) -> tuple[ControlClient | None, str]:
    """Return a connection to the daemon of this configuration, if one answers, or the reason why it cannot be used."""
    from tui_popretr.cli.daemon import connect
    from tui_popretr.control.client import DaemonError

    try:
        return connect(file), ""
    except DaemonUnavailable:
        return None, ""
    except DaemonError as problem:  # mail is retrieved anyway, unless a daemon uses the journal
        return None, visible(str(problem), 4096)


def _shown(verbosity: int) -> frozenset[Severity]:
    """Return the severities of the configuration problems to report."""
    if verbosity > 0:
        return frozenset(Severity)
    return frozenset({Severity.ERROR} if verbosity < 0 else {Severity.ERROR, Severity.WARNING})


def _require_terminal(arguments: Namespace) -> None:
    """Raise UsageError if the dashboard cannot be shown."""
    if arguments.once:
        raise UsageError("--once is for running without a dashboard", advice="add --headless")
    from tui_popretr.cli import attach

    attach.require_terminal("add --headless to retrieve mail without a dashboard")


def _trace(verbosity: int) -> LogSettings:
    """Return the settings of the program's own log if the configuration has no <trace>."""
    level = _LEVELS[min(max(_NORMAL + verbosity, 0), len(_LEVELS) - 1)]
    return LogSettings("%stderr%", flush=0.0, level=level)


def _report_defect(subscriber: object, problem: Exception) -> None:
    print(mark(f"internal error: {subscriber!r} failed and was unsubscribed: {problem!r}", 3), file=sys.stderr)
