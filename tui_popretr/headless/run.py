"""Runs the engine without a dashboard: trio.run in the main thread, stopped and reloaded by signals."""

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
    """Run the engine until it is done or a signal stops it, and return the exit code.

    SIGTERM and SIGINT stop it gracefully within 10 seconds, even if something hangs; a second signal ends the process
    immediately with exit code 128 + signal. SIGHUP reloads the configuration; with `once` it stops the run. `progress`
    shows the run. Raises JournalError if the journal cannot be used.
    """
    return trio.run(_main, engine, once, progress)


async def _main(engine: Engine, once: bool, progress: Progress | None) -> int:
    token = trio.lowlevel.current_trio_token()

    def soon(act: Callable[[], object]) -> None:
        """Call it in trio's loop: signal handlers run between any two instructions."""
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(act)

    def stop(number: int) -> None:
        name = signal.Signals(number).name
        soon(partial(engine.note, Level.INFO, f"{name}: ending; a second signal ends at once"))
        soon(partial(engine.perform, Shutdown()))

    def try_reload() -> None:
        try:
            engine.perform(Reload())
        except ValueError as problem:
            engine.note(Level.WARNING, f"SIGHUP: {problem}")

    def reload() -> None:
        soon(partial(engine.note, Level.INFO, "SIGHUP: reading the configuration again"))
        soon(try_reload)

    def before_exit() -> None:
        # No mail is lost: the journal has a record of every unfinished message.
        engine.children.kill_all()
        engine.close_logs()
        if progress is not None:
            progress.finish()

    def exit_now(number: int) -> None:
        before_exit()
        os._exit(128 + number)

    problems: list[PopretrError] = []
    with SignalWatcher(
        stop, lambda number: soon(partial(exit_now, number)), cleanup=before_exit, hangup=None if once else reload
    ):
        async with trio.open_nursery() as nursery:
            if progress is not None:
                engine.subscribe(progress)
                nursery.start_soon(progress.run)
            try:
                await engine.run()
            except PopretrError as problem:  # outside the nursery it would be wrapped in a group
                problems.append(problem)
            finally:
                if progress is not None:
                    progress.finish()
            nursery.cancel_scope.cancel()
    if problems:
        raise problems[0]
    return engine.exit_code
