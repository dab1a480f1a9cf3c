"""Running without a terminal: the engine under trio.run, driven by signals (SPEC 2, 3)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import trio

from tui_popretr.commands import Reload, Shutdown
from tui_popretr.engine.service import Engine
from tui_popretr.errors import PopretrError
from tui_popretr.facts import Level
from tui_popretr.headless.progress import Progress
from tui_popretr.process.signals import SignalWatcher


def run_headless(engine: Engine, *, once: bool = False, progress: Progress | None = None) -> int:
    """Run the engine until it ends by itself or by a signal, and return the exit code.

    SIGTERM and SIGINT end it in good order within 10 seconds, whatever hangs; a second one ends the process at once,
    with the exit code 128 + signal. SIGHUP reloads the configuration; with `once` it ends the run. `progress` shows
    what happens meanwhile. Raises JournalError where the journal cannot be used.
    """
    return trio.run(_main, engine, once, progress)


async def _main(engine: Engine, once: bool, progress: Progress | None) -> int:
    token = trio.lowlevel.current_trio_token()

    def soon(act: Callable[[], object]) -> None:
        """Have it done in the engine's thread."""
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(act)

    def begin(number: int) -> None:
        name = signal.Signals(number).name
        soon(partial(engine.note, Level.INFO, f"{name}: ending; a second signal ends at once"))
        soon(partial(engine.perform, Shutdown()))

    def reload() -> None:
        soon(partial(engine.note, Level.INFO, "SIGHUP: reading the configuration again"))
        soon(partial(engine.perform, Reload()))

    def last() -> None:
        # This loses nothing: the journal knows what is unfinished.
        engine.children.kill_all()
        engine.close_logs()
        if progress is not None:
            progress.finish()

    def leave(number: int) -> None:
        last()
        os._exit(128 + number)

    problems: list[PopretrError] = []
    with SignalWatcher(
        begin, lambda number: soon(partial(leave, number)), cleanup=last, hangup=None if once else reload
    ):
        async with trio.open_nursery() as nursery:
            if progress is not None:
                engine.subscribe(progress)
                nursery.start_soon(progress.run)
            try:
                await engine.run()
            except PopretrError as problem:  # outside the nursery it would come wrapped in a group
                problems.append(problem)
            finally:
                if progress is not None:
                    progress.finish()
            nursery.cancel_scope.cancel()
    if problems:
        raise problems[0]
    return engine.exit_code
