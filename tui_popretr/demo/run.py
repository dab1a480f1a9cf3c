"""The two runs of the demo: once, with a summary, and on the dashboard until the user quits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.demo import summary
from tui_popretr.demo.accounts import Security
from tui_popretr.demo.folder import DemoFolder, read_configuration, write_configuration
from tui_popretr.demo.server import DemoServer, DemoServerThread, Ports, describe_errors
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, PopretrError
from tui_popretr.facts import Fact, SessionClosed, SessionResult
from tui_popretr.headless.progress import Progress
from tui_popretr.process.signals import ending_signals

#: A single run that takes longer, seconds, has a defect.
TIMEOUT = 60.0


@dataclass(slots=True)
class DemoRun:
    """A demo that runs: its folder and server, and what has happened so far."""

    folder: DemoFolder
    server: DemoServer
    ports: Ports | None = None
    results: dict[str, SessionResult] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # that a demo must not have
    signal: int = 0


# --- once -----------------------------------------------------------------------------------------------------------


def run_once(folder: DemoFolder, out: TextIO, *, keep: bool) -> int:
    """Retrieve once from all accounts, report on `out`, and return the exit code.

    OK if every session ended as expected (two have to fail), else SOFTWARE; 128 + the number of a signal that ended
    it. Without `keep` the folder is removed in the end, in every case.
    """
    run = DemoRun(folder, DemoServer(SystemClock().now()))
    try:
        summary.write_lines(out, summary.introduction(run.server.accounts, folder))
        trio.run(_retrieve, run, out)
        if run.signal:
            stopped = f"Stopped. The folder stays: {folder.path}" if keep else "Stopped."
            summary.write_lines(out, ("", stopped))
            return 128 + run.signal
        run.problems += _deviations(run)
        summary.write_lines(out, _report(run, keep=keep))
    finally:
        if not keep:
            folder.remove()
    return ExitCode.SOFTWARE if run.problems else ExitCode.OK


async def _retrieve(run: DemoRun, out: TextIO) -> None:
    ids = [account.id for account in run.server.accounts]
    progress = Progress(ids, out) if out.isatty() else None
    with trio.open_signal_receiver(*ending_signals()) as signals, trio.move_on_after(TIMEOUT) as timeout:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_at_signal, signals, nursery.cancel_scope, run)
                run.ports = await nursery.start(run.server.serve)
                write_configuration(run.folder, run.server.accounts, run.ports)
                bus = Bus(lambda _, error: run.problems.append(f"the progress display failed: {error!r}"))
                bus.subscribe(progress or ResultLines(out, ids))
                engine = Engine(read_configuration(run.folder).at_once(), bus)
                run.results = engine.results
                if progress is not None:
                    nursery.start_soon(progress.run)
                await engine.run()
                nursery.cancel_scope.cancel()
        except* (PopretrError, OSError) as errors:
            run.problems += describe_errors(errors)
    if progress is not None:
        progress.finish()
    if timeout.cancelled_caught:
        run.problems.append(f"it had not ended after {TIMEOUT:g} seconds")


async def _cancel_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope, run: DemoRun) -> None:
    async for number in signals:
        run.signal = number
        scope.cancel()
        return


class ResultLines:
    """Subscribes to the engine's facts and writes a line of plain text for each session that has ended."""

    def __init__(self, out: TextIO, ids: Iterable[str]) -> None:
        self._out = out
        self._width = max(map(len, ids))

    def __call__(self, fact: Fact) -> None:
        if isinstance(fact, SessionClosed):
            client, outcome = fact.session.client, summary.outcome(fact.result)
            summary.write_lines(self._out, (f"  {client:<{self._width}}  {outcome}",))


def _deviations(run: DemoRun) -> list[str]:
    """Return how the run differs from the expected one."""
    found = [f"the demo's server failed: {failure!r}" for failure in run.server.server.failures]
    for account in run.server.accounts:
        result = run.results.get(account.id)
        if result is None and run.problems:  # they explain it
            continue
        if deviation := account.deviation(result):
            found.append(f"{account.id}: {deviation}")
    return found


def _report(run: DemoRun, *, keep: bool) -> Iterator[str]:
    accounts = run.server.accounts
    if run.ports is not None:
        yield ""
        yield from summary.table(accounts, run.results, run.ports)
        with_tls = next(account for account in accounts if account.security is Security.TLS)
        yield from summary.excerpt(run.folder, with_tls)
    if keep and run.results:
        yield ""
        yield from summary.places(run.folder, accounts)
    yield ""
    yield from summary.ending(run.folder, run.problems, keep=keep)


# --- on the dashboard -----------------------------------------------------------------------------------------------


def run_watched(folder: DemoFolder, out: TextIO, *, keep: bool, no_mouse: bool = False) -> int:
    """Show the demo on the dashboard until the user quits, report on `out` what is left, and return the exit code.

    The server has a thread of its own, the engine another one. The exit code is the dashboard's, or SOFTWARE if the
    demo's own server failed. Without `keep` the folder is removed in the end, in every case. Raises what the dashboard
    raises.
    """
    # here, since a run without a dashboard must not load Textual
    from tui_popretr.status import KEPT
    from tui_popretr.ui.shell.run import run_dashboard

    clock = SystemClock()
    run = DemoRun(folder, DemoServer(clock.now(), watched=True))
    code = int(ExitCode.OK)
    try:
        with contextlib.ExitStack() as stack:
            try:
                thread = stack.enter_context(DemoServerThread(run.server, clock))
                write_configuration(folder, run.server.accounts, thread.ports)
                settings = read_configuration(folder)
            except* (PopretrError, OSError) as errors:
                run.problems += describe_errors(errors)
            else:
                bus = Bus(lambda _, error: run.problems.append(f"a part of the dashboard failed: {error!r}"))
                reloader = partial(read_configuration, folder)
                engine = Engine(settings, bus, clock=clock, reloader=reloader, until_done=False, remember=KEPT)
                code = run_dashboard(engine, no_mouse=no_mouse, title="demo")
                run.problems += [f"the demo's server failed: {failure}" for failure in thread.failures]
    finally:
        if not keep:
            folder.remove()
    if out.isatty():  # the dashboard also ends when the terminal is gone
        if keep and not run.problems:
            summary.write_lines(out, (*summary.places(folder, run.server.accounts), ""))
        summary.write_lines(out, summary.ending(folder, run.problems, keep=keep))
    return ExitCode.SOFTWARE if run.problems else code
