"""The demo with the dashboard: the world in its own thread, the engine in another, the dashboard in the main one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TextIO

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.demo import summary
from tui_popretr.demo.configuration import read_configuration, write_configuration
from tui_popretr.demo.folder import DemoFolder
from tui_popretr.demo.server import DemoServer
from tui_popretr.demo.server_thread import DemoServerThread
from tui_popretr.demo.troubles import explained
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, PopretrError
from tui_popretr.ui.model.view import KEPT
from tui_popretr.ui.shell.run import run_dashboard


def run_watched(folder: DemoFolder, out: TextIO, *, keep: bool, no_mouse: bool = False) -> int:
    """Show the demo on the dashboard until the user ends it, tell on `out` what is left, and return the exit code.

    The dashboard's exit code, or SOFTWARE when the demo's own server failed. Without `keep` the folder is removed in
    the end, in every case. Raises what the dashboard raises.
    """
    clock = SystemClock()
    world = DemoServer(clock.now(), watched=True)
    troubles: list[str] = []
    code = int(ExitCode.OK)
    try:
        with contextlib.ExitStack() as stack:
            try:
                stage = stack.enter_context(DemoServerThread(world, clock))
                write_configuration(folder, world.accounts, stage.ports)
                settings = read_configuration(folder)
            except* (PopretrError, OSError) as problems:
                troubles += explained(problems)
            else:
                bus = Bus(lambda _, problem: troubles.append(f"a part of the dashboard failed: {problem!r}"))
                reloader = partial(read_configuration, folder)
                engine = Engine(settings, bus, clock=clock, reloader=reloader, until_done=False, remember=KEPT)
                code = run_dashboard(engine, no_mouse=no_mouse, title="demo")
                troubles += [f"the demo's server failed: {reason}" for reason in stage.failures]
    finally:
        if not keep:
            folder.remove()
    if out.isatty():  # the terminal may have gone: that ends the dashboard, too
        summary.tell(out, _summed_up(world, folder, troubles, keep=keep))
    return ExitCode.SOFTWARE if troubles else code


def _summed_up(world: DemoServer, folder: DemoFolder, troubles: list[str], *, keep: bool) -> Iterator[str]:
    if keep and not troubles:
        yield from summary.places(folder, world.accounts)
        yield ""
    if troubles:
        yield from summary.deviations(troubles, folder, keep=keep)
    else:
        yield from summary.next_steps(folder, keep=keep)
