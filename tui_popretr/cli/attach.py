"""`attach`: the dashboard of a daemon, by its control socket. `run` on a terminal uses it, too."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from functools import partial

from tui_popretr.cli.config_path import ConfigurationFile, locate
from tui_popretr.cli.daemon import connect
from tui_popretr.config.reader import load
from tui_popretr.control.client import ControlClient, DaemonError
from tui_popretr.errors import DaemonUnavailable, UsageError
from tui_popretr.process import job
from tui_popretr.text import visible


def run(arguments: Namespace) -> int:
    """Show the dashboard of the daemon until the user detaches; return the exit code. Raises PopretrError."""
    require_terminal("tui-popretr status shows the clients without one")
    file = locate(arguments.config, arguments.naf)
    try:
        connection = connect(file)
    except DaemonError as problem:
        raise DaemonUnavailable(visible(str(problem), 4096), advice="") from None
    return show(connection, file, no_mouse=arguments.no_mouse, read_only=arguments.read_only)


def show(connection: ControlClient, file: ConfigurationFile, *, no_mouse: bool, read_only: bool = False) -> int:
    """Show the dashboard of a connected daemon; return the exit code."""
    from tui_popretr.process.terminal_state import TerminalState
    from tui_popretr.ui.shell.run import run_attached

    settings = load(file.path, var=file.var, naf=file.naf, clients=False).settings
    body = partial(
        run_attached,
        connection,
        transcript=None if settings is None else settings.transcript,
        title=os.path.basename(file.path),
        no_mouse=no_mouse,
        read_only=read_only,
    )
    return job.run(body, restore=TerminalState().restore)


def require_terminal(advice: str) -> None:
    """Raise UsageError if the dashboard cannot be shown."""
    keyboard, *screens = (each is not None and each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr))
    if os.environ.get("TERM") == "dumb" or not keyboard or not any(screens):
        raise UsageError("the dashboard needs a terminal that can draw it, and there is none", advice=advice)
