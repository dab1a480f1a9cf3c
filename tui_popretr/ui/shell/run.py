"""Runs the engine in its thread and the dashboard in the main one; the end of one ends the other."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_popretr.config.model import LogSettings
from tui_popretr.control.client import ControlClient
from tui_popretr.engine.service import Engine
from tui_popretr.errors import PopretrError
from tui_popretr.logs.files import files_of
from tui_popretr.mailbox import Mailbox
from tui_popretr.process.interpreter import permanent
from tui_popretr.process.signals import SignalWatcher
from tui_popretr.process.terminal_state import TerminalState
from tui_popretr.ui.model.memory import recall, remember, state_folder
from tui_popretr.ui.shell.attached import AttachedSource
from tui_popretr.ui.shell.defects import Defects
from tui_popretr.ui.shell.engine_thread import EngineThread
from tui_popretr.ui.shell.source import EngineSource, Source
from tui_popretr.wording import plural

if TYPE_CHECKING:
    from tui_popretr.ui.shell.app import Dashboard


def run_dashboard(
    engine: Engine,
    *,
    no_mouse: bool = False,
    title: str = "",
    config: str | None = None,
    defects: Defects | None = None,
) -> int:
    """Run engine and dashboard until the user, a signal or a lost terminal ends both; return the exit code.

    The engine starts before Textual is loaded. In any case, sessions end with QUIT and the terminal is restored.
    A second SIGTERM or SIGINT ends the program at once, with 128 + its number. `defects` is the on_failure of the
    engine's bus; its lines are printed when the terminal is restored. `config` is the path of the configuration.
    Raises the error that ended the engine or the dashboard.
    """
    defects = defects or Defects()
    mailbox, terminal_state = Mailbox(), TerminalState()
    engine.subscribe(mailbox)
    engine.bus.subscribe_dialogue(mailbox.on_dialogue)
    thread = EngineThread(engine)
    defects.report = thread.report
    app: Dashboard | None = None
    asked = False

    def leave() -> None:
        nonlocal asked
        asked = True
        if app is not None:
            app.call_later(app.exit, 0)

    def stop(_: int) -> None:
        thread.end()
        leave()

    def cancel(_: int) -> None:
        thread.cancel()
        leave()

    def cleanup() -> None:
        engine.children.kill_all()
        terminal_state.restore()
        defects.print_pending()

    signals = SignalWatcher(stop, cancel, cleanup=cleanup, finished=lambda: not thread.alive)
    with defects, signals, thread:
        app = _load(
            lambda: engine.settings.transcript, EngineSource(thread, mailbox, engine.clock), title, config=config
        )
        if thread.alive and not asked:
            app.run(mouse=not no_mouse)
            remember(state_folder(), app.remembered)
        signals.stopping()
        thread.end()
        if app.view.running and thread.alive:
            _print_ending(app.view.running)
    if signals.second_signal is not None:
        return 128 + signals.second_signal
    for problem in (app.crash, thread.problem):
        if problem is not None:
            raise _root_error(problem)
    return app.return_value or 0


def run_attached(
    first: ControlClient,
    *,
    transcript: LogSettings | None = None,
    title: str = "",
    no_mouse: bool = False,
    read_only: bool = False,
) -> int:
    """Run the dashboard of a daemon until the user, a signal or a lost terminal ends it; return the exit code.

    `first` is a connection to the daemon, which goes on whatever happens. Raises the error that ended the dashboard.
    """
    defects, terminal_state = Defects(), TerminalState()
    app: Dashboard | None = None
    asked = False

    def leave(_: int) -> None:
        nonlocal asked
        asked = True
        if app is not None:
            app.call_later(app.exit, 0)

    def cleanup() -> None:
        terminal_state.restore()
        defects.print_pending()

    signals = SignalWatcher(leave, leave, cleanup=cleanup)
    with defects, signals, AttachedSource(first, read_only=read_only) as source:
        defects.report = source.report
        app = _load(lambda: transcript, source, title, config=first.hello.config, detaches=True)
        if not asked:
            app.run(mouse=not no_mouse)
            remember(state_folder(), app.remembered)
        signals.stopping()
    if signals.second_signal is not None:
        return 128 + signals.second_signal
    if app.crash is not None:
        raise app.crash
    return app.return_value or 0


def _load(
    transcript: Callable[[], LogSettings | None],
    source: Source,
    title: str,
    *,
    config: str | None,
    detaches: bool = False,
) -> Dashboard:
    """Return the dashboard. Textual is imported only here: that takes as long as the rest of the start.

    `transcript` returns the settings of the transcript on disk that are in force; a reload changes them.
    """
    with permanent():
        from tui_popretr.logs.reading import TranscriptFiles
        from tui_popretr.ui.shell.app import Dashboard
        from tui_popretr.ui.shell.terminal import Terminal
        from tui_popretr.ui.shell.themes import first_theme

        def files() -> list[str]:
            log = transcript()
            return [] if log is None else files_of(log)

        return Dashboard(
            source,
            title=title,
            host=os.uname().nodename,
            history=TranscriptFiles(files),
            detaches=detaches,
            theme=first_theme(os.environ),
            remembered=recall(state_folder()),
            config=config,
            driver_class=Terminal,
        )


def _print_ending(running: int) -> None:
    """Print, on the shell's screen, that running sessions have to finish first."""
    with contextlib.suppress(OSError):
        text = f"stopping: waiting for {plural(running, 'session')}…"
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the dashboard is closed


def _root_error(problem: BaseException) -> BaseException:
    """Return the PopretrError within trio's exception groups; else the only error; else the group of several."""
    while isinstance(problem, BaseExceptionGroup):
        inner = problem
        known, _ = inner.split(PopretrError)
        if known is None and len(inner.exceptions) > 1:
            return inner
        problem = (known or inner).exceptions[0]
    return problem
