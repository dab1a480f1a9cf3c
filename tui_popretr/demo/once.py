"""The demo without a dashboard: retrieves once from every account, tells how far it is, and sums it up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TextIO

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.demo import summary
from tui_popretr.demo.accounts import DemoAccount, Security
from tui_popretr.demo.configuration import read_configuration, write_configuration
from tui_popretr.demo.folder import DemoFolder
from tui_popretr.demo.progress import Lines
from tui_popretr.demo.server import DemoServer, Ports
from tui_popretr.demo.troubles import explained
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, PopretrError
from tui_popretr.facts import SessionResult
from tui_popretr.headless.progress import Progress
from tui_popretr.process.signals import ending_signals

#: The demo is given up after so many seconds: something hangs that should not.
PATIENCE = 60.0


@dataclass(slots=True)
class _Course:
    """What has become of the demo so far."""

    ports: Ports | None = None
    results: dict[str, SessionResult] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    signal: int = 0


def run_once(folder: DemoFolder, out: TextIO, *, keep: bool) -> int:
    """Run the demo in a folder that is new or empty, tell about it on `out`, and return the exit code.

    OK when everything went as scripted (the failing accounts' failures are), SOFTWARE when not, 128 + the number of a
    signal that ended it. Without `keep` the folder is removed in the end, in every case.
    """
    world = DemoServer(SystemClock().now())
    course = _Course()
    try:
        summary.tell(out, summary.introduction(world.accounts, folder))
        trio.run(_perform, world, folder, out, course)
        if course.signal:
            summary.tell(out, ("", "Stopped." if not keep else f"Stopped. The folder stays: {folder.path}"))
            return 128 + course.signal
        course.troubles += _deviations(world, course)
        summary.tell(out, _summed_up(world, folder, course, keep=keep))
    finally:
        if not keep:
            folder.remove()
    return ExitCode.SOFTWARE if course.troubles else ExitCode.OK


async def _perform(world: DemoServer, folder: DemoFolder, out: TextIO, course: _Course) -> None:
    """Retrieve once; what goes wrong is noted in the course."""
    ids = [account.id for account in world.accounts]
    progress = Progress(ids, out) if out.isatty() else None
    with trio.open_signal_receiver(*ending_signals()) as signals, trio.move_on_after(PATIENCE) as patience:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, signals, nursery.cancel_scope, course)
                course.ports = await nursery.start(world.serve)
                write_configuration(folder, world.accounts, course.ports)
                bus = Bus(lambda _, problem: course.troubles.append(f"the progress display failed: {problem!r}"))
                bus.subscribe(progress or Lines(out, ids))
                engine = Engine(read_configuration(folder).at_once(), bus)
                course.results = engine.results
                if progress is not None:
                    nursery.start_soon(progress.run)
                await engine.run()
                nursery.cancel_scope.cancel()
        except* (PopretrError, OSError) as problems:
            course.troubles += explained(problems)
    if progress is not None:
        progress.finish()
    if patience.cancelled_caught:
        course.troubles.append(f"it was not done after {PATIENCE:g} seconds")


async def _watch(signals: AsyncIterator[int], everything: trio.CancelScope, course: _Course) -> None:
    """End everything at the first signal."""
    async for number in signals:
        course.signal = number
        everything.cancel()
        return


def _deviations(world: DemoServer, course: _Course) -> list[str]:
    """Return how the demo differs from its script."""
    found = [f"the demo's server failed: {failure!r}" for failure in world.server.failures]
    for account in world.accounts:
        result = course.results.get(account.id)
        if result is None and course.troubles:  # which have told why
            continue
        if deviation := account.deviation(result):
            found.append(f"{account.id}: {deviation}")
    return found


def _summed_up(world: DemoServer, folder: DemoFolder, course: _Course, *, keep: bool) -> Iterable[str]:
    if course.ports is not None:
        yield ""
        yield from summary.table(world.accounts, course.results, course.ports)
        yield from summary.excerpt(folder, _with_tls(world.accounts))
    if keep and course.results:
        yield ""
        yield from summary.places(folder, world.accounts)
    yield ""
    if course.troubles:
        yield from summary.deviations(course.troubles, folder, keep=keep)
    else:
        yield from summary.next_steps(folder, keep=keep)


def _with_tls(accounts: Iterable[DemoAccount]) -> DemoAccount:
    return next(account for account in accounts if account.security is Security.TLS)
