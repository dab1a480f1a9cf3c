"""The task that watches the engine's facts and runs hooks beside the sessions, which never wait for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from tui_popretr.config.model import HookSettings
from tui_popretr.engine.hooks.rules import ClosedSession, Decision, Occurrence, after_session, stale_now
from tui_popretr.engine.hooks.running import name_of, run_hook
from tui_popretr.engine.service import Engine
from tui_popretr.facts import (
    Fact,
    Level,
    MaildropListed,
    SessionClosed,
    SessionConnected,
    SessionStarted,
    Standing,
    TlsDetails,
    TlsStarted,
)

#: Hooks that run at the same time.
AT_ONCE: Final = 4
#: Hooks that wait. More are dropped: events would come faster than their hooks can run.
MOST_WAITING: Final = 1000
#: Seconds between two checks for clients without mail.
STALE_INTERVAL: Final = 60.0


@dataclass(slots=True)
class _Session:
    """What is known of a running session."""

    before: Standing
    tls: TlsDetails | None = None
    kept: int | None = None  # at the first listing


@dataclass(frozen=True, slots=True)
class _Run:
    hook: HookSettings
    occurrence: Occurrence
    status: Mapping[str, Any] | None


class HooksTask:
    """A companion of the engine that runs the hooks of its settings."""

    def __init__(self, engine: Engine, status: Callable[[str], Mapping[str, Any] | None]) -> None:
        """`status` returns the status of a client for standard input; it must follow the facts before this task."""
        self._engine = engine
        self._status = status
        self._sessions: dict[str, _Session] = {}
        self._withheld = set(engine.settings.password_variables)
        self._send, self._receive = trio.open_memory_channel[_Run](MOST_WAITING)
        self._unfinished = 0
        self._all_done = trio.Event()
        self._dropping = False
        engine.subscribe(self._on_fact)
        engine.finishers.append(self.finish)

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run hooks until cancelled, which kills those that run."""
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(self._work)
            nursery.start_soon(self._watch_stale)
            task_status.started()

    async def finish(self) -> None:
        """Wait until all hooks have ended."""
        while self._unfinished:
            self._all_done = trio.Event()
            await self._all_done.wait()

    def _on_fact(self, fact: Fact) -> None:
        match fact:
            case SessionStarted(session=session):
                self._sessions[session.client] = _Session(self._engine.standings.of_client(session.client))
            case SessionConnected(session=session, tls=TlsDetails() as tls) | TlsStarted(session=session, tls=tls):
                if known := self._sessions.get(session.client):
                    known.tls = tls
            case MaildropListed(session=session, kept=kept):
                if (known := self._sessions.get(session.client)) and known.kept is None:
                    known.kept = kept
            case SessionClosed(session=session, result=result):
                if (known := self._sessions.pop(session.client, None)) and self._engine.settings.hooks:
                    after = self._engine.standings.of_client(session.client)
                    new = max(0, result.kept - (known.kept or 0))
                    self._close(ClosedSession(known.before, after, result, new, known.tls))
            case _:
                pass

    def _close(self, session: ClosedSession) -> None:
        engine = self._engine
        self._start(after_session(engine.settings.hooks, session, engine.standings.hook_times, engine.clock.now()))

    def _start(self, decision: Decision) -> None:
        for (client, hook_key), time in decision.times.items():
            self._engine.standings.set_hook_time(client, hook_key, time)
        for hook, occurrence in decision.runs:
            try:
                self._send.send_nowait(_Run(hook, occurrence, self._status(occurrence.client)))
            except trio.WouldBlock:
                if not self._dropping:
                    self._engine.note(Level.WARNING, f"more than {MOST_WAITING} hooks wait; further ones do not run")
                self._dropping = True
            else:
                self._unfinished += 1

    async def _watch_stale(self) -> None:
        while True:
            await trio.sleep(STALE_INTERVAL)
            engine = self._engine
            if hooks := engine.settings.hooks:
                standings = engine.standings.of(client.id for client in engine.settings.clients)
                self._start(stale_now(hooks, standings, engine.standings.hook_times, engine.clock.now()))

    async def _work(self) -> None:
        async for run in self._receive:
            try:
                await self._run(run)
            finally:
                self._unfinished -= 1
                if not self._unfinished:
                    self._dropping = False
                    self._all_done.set()

    async def _run(self, run: _Run) -> None:
        engine, client = self._engine, run.occurrence.client
        self._withheld |= engine.settings.password_variables  # a reload does not remove a variable from the process
        end = await run_hook(run.hook, run.occurrence, run.status, engine.children, self._withheld)
        name = f"hook on {run.hook.on.value} ({name_of(run.hook)})"
        for line in end.lines:
            engine.note(Level.INFO, f"{name}: {line}", client)
        level = Level.DEBUG if end.ok else Level.WARNING
        engine.note(level, f"{name} {end.text}", client)
