"""Running with a dashboard: the engine in its thread, the dashboard in the main one, and every way to end in order."""

from __future__ import annotations

import contextlib
import gc
import sys

from tui_popretr.ends import Ends
from tui_popretr.engine.service import Engine
from tui_popretr.errors import PopretrError
from tui_popretr.processes import kill_commands
from tui_popretr.ui.app import Dashboard
from tui_popretr.ui.engine_thread import EngineThread
from tui_popretr.ui.logfiles import files_of
from tui_popretr.ui.mailbox import Mailbox
from tui_popretr.ui.ondisk import OnDisk
from tui_popretr.ui.source import EngineSource
from tui_popretr.ui.terminal import Sanity, Terminal


def run_dashboard(engine: Engine, *, no_mouse: bool = False, title: str = "") -> int:
    """Run the engine and show it until the user, a signal or a lost terminal ends both; return the exit code.

    Whatever happens, running sessions are ended with QUIT and the terminal is as it was. A second SIGTERM or SIGINT
    ends at once, with 128 + its number. Raises what made the engine or the dashboard end unasked.
    """
    mailbox, sanity = Mailbox(), Sanity()
    engine.subscribe(mailbox, dialogue=True)
    thread = EngineThread(engine)
    source = EngineSource(thread, mailbox, engine.clock)
    app = Dashboard(source, title=title, history=_history(engine), driver_class=Terminal)

    def begin(_: int) -> None:
        thread.end()
        app.call_later(app.exit, 0)

    def hurry(_: int) -> None:
        thread.cancel()
        app.call_later(app.exit, 0)

    def last() -> None:
        kill_commands()
        sanity.restore()

    with Ends(begin, hurry, last=last, over=lambda: not thread.alive) as ends, thread:
        gc.freeze()  # what there is by now stays to the end: no need to look through it again and again
        app.run(mouse=not no_mouse)
        ends.begun()
        thread.end()
        if app.view.running and thread.alive:
            _say(app.view.running)
    if ends.second is not None:
        return 128 + ends.second
    for problem in (app.crash, thread.problem):
        if problem is not None:
            raise _told(problem)
    return app.return_value or 0


def _history(engine: Engine) -> OnDisk:
    """Return the transcript on disk: that of the settings in force, which a reload changes."""

    def files() -> list[str]:
        log = engine.settings.transcript
        return [] if log is None else files_of(log)

    return OnDisk(files)


def _say(running: int) -> None:
    """Tell the user, back at the shell's screen, what is waited for."""
    with contextlib.suppress(OSError):
        what = "1 session finishes" if running == 1 else f"{running} sessions finish"
        print(f"ending: {what}…", file=sys.stderr, flush=True)  # noqa: T201 - there is no other place any more


def _told(problem: BaseException) -> BaseException:
    """Return the error that has words for the user, where there is one within what trio's nurseries made of it."""
    while isinstance(problem, BaseExceptionGroup):
        inner = problem
        words, _ = inner.split(PopretrError)
        if words is None and len(inner.exceptions) > 1:
            return inner
        problem = (words or inner).exceptions[0]
    return problem
