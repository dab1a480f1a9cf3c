"""The demo as a daemon: no dashboard, mail keeps arriving, and a dashboard can be attached from another terminal."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from functools import partial
from typing import TextIO

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.control.daemon import ControlTask
from tui_popretr.demo import summary
from tui_popretr.demo.folder import DemoFolder, read_configuration, write_configuration
from tui_popretr.demo.server import DemoServer, DemoServerThread, describe_errors
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, PopretrError
from tui_popretr.headless.run import run_headless
from tui_popretr.status import KEPT


def run_daemon(folder: DemoFolder, out: TextIO, *, keep: bool) -> int:
    """Retrieve until a signal (ctrl+c, SIGTERM, SIGHUP) ends it, report on `out`, and return the exit code.

    OK, or SOFTWARE if the demo's own server failed. Without `keep` the folder is removed in the end, in every case.
    Raises JournalError.
    """
    clock = SystemClock()
    server = DemoServer(clock.now(), watched=True)
    problems: list[str] = []
    code = int(ExitCode.OK)
    try:
        summary.write_lines(out, summary.introduction(server.accounts, folder))
        with contextlib.ExitStack() as stack:
            try:
                thread = stack.enter_context(DemoServerThread(server, clock))
                write_configuration(folder, server.accounts, thread.ports)
                settings = read_configuration(folder)
            except* (PopretrError, OSError) as errors:
                problems += describe_errors(errors)
            else:
                bus = Bus(lambda _, error: problems.append(f"a part of the demo failed: {error!r}"))
                reloader = partial(read_configuration, folder)
                engine = Engine(settings, bus, clock=clock, reloader=reloader, until_done=False, remember=KEPT)
                engine.companions += [ControlTask(engine, folder.configuration), Hint(engine, folder, out)]
                # As for a single run, the loss of the terminal ends it.
                code = run_headless(engine, once=True)
                problems += [f"the demo's server failed: {failure}" for failure in thread.failures]
    finally:
        if not keep:
            folder.remove()
    with contextlib.suppress(OSError):  # the terminal may be gone
        summary.write_lines(out, ("", "Stopped.", *summary.ending(folder, problems, keep=keep)))
    return ExitCode.SOFTWARE if problems else code


class Hint:
    """A companion of the engine that starts after the control socket's: prints how to attach and how to stop."""

    def __init__(self, engine: Engine, folder: DemoFolder, out: TextIO) -> None:
        self._engine = engine
        self._folder = folder
        self._out = out

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Print it once."""
        with contextlib.suppress(OSError):
            summary.write_lines(self._out, self._lines())
        task_status.started()

    def _lines(self) -> Iterator[str]:
        yield ""
        if os.path.exists(self._engine.settings.control_socket):
            yield "It runs without a dashboard. To attach one, in another terminal:"
            yield f"  tui-popretr attach {shlex.quote(self._folder.configuration)}"
        else:
            yield "It runs without a dashboard, and none can be attached. The reason is in"
            yield f"  {self._folder.trace}"
        yield "To stop it:"
        yield "  ctrl+c in this terminal" if self._out.isatty() else f"  kill {os.getpid()}"
