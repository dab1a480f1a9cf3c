"""Reports the state of the engine to systemd: ready, reloading, stopping, alive, and its clients in words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import trio

from tui_popretr.engine.service import Engine
from tui_popretr.facts import (
    ClientsChanged,
    ConfigurationRejected,
    ConfigurationReloaded,
    Fact,
    ReloadStarted,
    SessionClosed,
    StandingsRead,
)
from tui_popretr.process.systemd import ServiceManager, monotonic_usec
from tui_popretr.text import visible
from tui_popretr.wording import plural

#: Seconds between two texts of the status, at least.
INTERVAL: Final = 1.0
#: Failing clients that the status names.
_NAMED: Final = 3


def status_text(clients: int, failing: Collection[str]) -> str:
    """Return the text of STATUS=, such as "12 clients, 1 failing: work"."""
    text = plural(clients, "client")
    if failing:
        names = [visible(each, 64) for each in list(failing)[:_NAMED]]
        more = len(failing) - len(names)
        text += f", {len(failing)} failing: {', '.join(names)}{f' and {more} more' if more else ''}"
    return text


class SystemdTask:
    """A companion of the engine. It must be the last one: its start reports that the service is ready."""

    def __init__(self, engine: Engine, manager: ServiceManager) -> None:
        self._engine = engine
        self._manager = manager
        self._clients = tuple(client.id for client in engine.settings.clients)
        self._failing: set[str] = set()
        self._shown = ""
        self._changed = trio.Event()
        engine.subscribe(self._on_fact)

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Send READY=1, then what happens until cancelled."""
        self._manager.notify("READY=1", self._status())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._report_status)
            nursery.start_soon(self._report_stopping)
            if self._manager.watchdog is not None:
                nursery.start_soon(self._feed_watchdog, self._manager.watchdog / 2)
            task_status.started()

    def _on_fact(self, fact: Fact) -> None:
        match fact:
            case SessionClosed(session=session, result=result):
                (self._failing.discard if result.ok else self._failing.add)(session.client)
            case StandingsRead(standings=standings):
                self._failing.update(each.client for each in standings if each.failures_in_a_row)
            case ClientsChanged(clients=clients):
                self._clients = clients
            case ReloadStarted():
                self._manager.notify("RELOADING=1", monotonic_usec())
                return
            case ConfigurationReloaded() | ConfigurationRejected():
                self._manager.notify("READY=1")
                return
            case _:
                return
        self._changed.set()

    def _status(self) -> str:
        self._shown = status_text(len(self._clients), [each for each in self._clients if each in self._failing])
        return f"STATUS={self._shown}"

    async def _report_status(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            before = self._shown
            if (status := self._status()) != f"STATUS={before}" and not self._engine.stopping.is_set():
                self._manager.notify(status)
            await trio.sleep(INTERVAL)

    async def _report_stopping(self) -> None:
        await self._engine.stopping.wait()
        self._manager.notify("STOPPING=1", "STATUS=ending")

    async def _feed_watchdog(self, interval: float) -> None:
        # A task of the engine's own loop: if the loop hangs, the service is started again.
        while True:
            self._manager.notify("WATCHDOG=1")
            await trio.sleep(interval)
