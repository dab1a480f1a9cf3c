"""Running without a terminal: the engine under trio.run, driven by signals (SPEC 2, 3)."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from typing import Final

import trio

from tui_popretr.commands import Reload, Shutdown
from tui_popretr.engine.service import LAST_DEADLINE, Engine
from tui_popretr.errors import PopretrError
from tui_popretr.facts import Level
from tui_popretr.headless.progress import Progress

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_headless(engine: Engine, *, once: bool = False, progress: Progress | None = None) -> int:
    """Run the engine until it ends by itself or by a signal, and return the exit code.

    SIGTERM and SIGINT end it in good order within 10 seconds; a second one ends the process at once, with the exit code
    128 + signal. SIGHUP reloads the configuration; with `once` it ends the run. `progress` shows what happens
    meanwhile. Raises JournalError where the journal cannot be used.
    """
    return trio.run(_main, engine, once, progress)


async def _main(engine: Engine, once: bool, progress: Progress | None) -> int:
    problems: list[PopretrError] = []
    with trio.open_signal_receiver(*_SIGNALS) as received:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, received, engine, once, progress)
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


async def _obey(received: AsyncIterator[int], engine: Engine, once: bool, progress: Progress | None) -> None:
    """Do what signals ask for."""
    async for number in received:
        name = signal.Signals(number).name
        if number != signal.SIGHUP or once:
            engine.note(Level.INFO, f"{name}: ending; a second signal ends at once")
            break
        engine.note(Level.INFO, f"{name}: reading the configuration again")
        engine.perform(Reload())
    engine.perform(Shutdown())
    # Nothing but this waits for the engine now: a thread that hangs in a dead disk must not keep the process. Ending
    # here loses nothing: the journal knows what is unfinished.
    code = 0
    with trio.move_on_after(LAST_DEADLINE + 0.5):
        code = 128 + await anext(received)
    if progress is not None:
        progress.finish()
    engine.close_logs()
    os._exit(code)
