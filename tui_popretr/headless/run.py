"""Running without a terminal: the engine under trio.run, driven by signals (SPEC 2, 3)."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import trio

from tui_popretr.commands import Reload, Shutdown
from tui_popretr.engine.service import Engine
from tui_popretr.errors import PopretrError

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_headless(engine: Engine, *, once: bool) -> int:
    """Run the engine until it ends by itself or by a signal, and return the exit code.

    SIGTERM and SIGINT end it in good order, a second one at once (exit code 128 + signal). SIGHUP reloads the
    configuration; with `once` it ends the run. Raises JournalError where the journal cannot be used.
    """
    return trio.run(_main, engine, once)


async def _main(engine: Engine, once: bool) -> int:
    second: list[int] = []
    problems: list[PopretrError] = []
    with trio.open_signal_receiver(*_SIGNALS) as received:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, received, engine, once, nursery.cancel_scope, second)
            try:
                await engine.run()
            except PopretrError as problem:  # outside the nursery it would come wrapped in a group
                problems.append(problem)
            nursery.cancel_scope.cancel()
    if problems:
        raise problems[0]
    return 128 + second[0] if second else engine.exit_code


async def _obey(
    received: AsyncIterator[int], engine: Engine, once: bool, everything: trio.CancelScope, second: list[int]
) -> None:
    """Do what signals ask for."""
    ending = False
    async for number in received:
        if number == signal.SIGHUP and not once:
            engine.perform(Reload())
        elif ending:
            second.append(number)
            everything.cancel()
            return
        else:
            ending = True
            engine.perform(Shutdown())
