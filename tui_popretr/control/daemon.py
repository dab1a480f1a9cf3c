"""The engine as the control socket sees it, and the task that serves the socket as long as the engine runs."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import trio

from tui_popretr.answers import Answer
from tui_popretr.commands import Command, Query
from tui_popretr.config.paths import NO_SOCKET
from tui_popretr.control import messages, snapshots
from tui_popretr.control.codec import Json
from tui_popretr.control.server import ControlServer
from tui_popretr.control.snapshots import Snapshot
from tui_popretr.control.socket_file import ControlSocket, SocketUnusableError
from tui_popretr.engine.service import Engine
from tui_popretr.errors import out_of_threads
from tui_popretr.facts import DialogueLine, Level, PastSession
from tui_popretr.mailbox import Mailbox
from tui_popretr.status import View
from tui_popretr.text import visible

#: Lines of dialogue that a dashboard sees when it attaches.
LINES: Final = 2000
#: Facts are added to the view at least this often, seconds, so that few of them wait.
INTERVAL: Final = 1.0
#: Seconds in which the file system must make the socket.
TIMEOUT: Final = 10.0


class EngineDaemon:
    """Keeps the view of an engine up to date, for snapshots."""

    def __init__(self, engine: Engine) -> None:
        """Must be called before engine.run()."""
        self._engine = engine
        self._view = View()
        self._lines: deque[DialogueLine] = deque(maxlen=LINES)
        self._mailbox = Mailbox(LINES)
        engine.subscribe(self._mailbox)
        engine.bus.subscribe_dialogue(self._mailbox.on_dialogue)

    def perform(self, command: Command) -> str:
        return self._engine.perform(command)

    async def ask(self, query: Query) -> Answer:
        return await self._engine.ask(query)

    async def history(self, client: str, limit: int) -> Sequence[PastSession]:
        return await self._engine.history(client, limit)

    def snapshot(self) -> Snapshot:
        self._update()
        clock = self._engine.clock
        return snapshots.take(self._view, self._lines, clock.boottime(), clock.now())

    def client(self, client: str) -> Json | None:
        """Return a client as in the status, None if there is no such client."""
        self._update()
        view = self._view.clients.get(client)
        clock = self._engine.clock
        return None if view is None else snapshots.client_to_json(view, clock.boottime(), clock.now())

    def clients(self) -> Iterator[Json]:
        """Return all clients as in the status. The iterator may be used in another thread, where it does the work."""
        self._update()
        now, wall = self._engine.clock.boottime(), self._engine.clock.now()
        views = tuple(self._view.clients.values())
        return (snapshots.client_to_json(view, now, wall) for view in views)

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Be a companion of the engine where there is no control socket."""
        task_status.started()
        await self.run()

    async def run(self) -> None:
        """Keep the view up to date."""
        while True:
            self._update()
            await trio.sleep(INTERVAL)

    def _update(self) -> None:
        drained = self._mailbox.drain()
        clock = self._engine.clock
        self._view.apply(drained.facts, clock.boottime(), clock.now())
        self._lines.extend(drained.lines)


class ControlTask:
    """Listens on the control socket of an engine's configuration from the opening of the journal to the end.

    Where there can be no socket, the reason is logged, and mail is retrieved without one. The same applies after a bug
    in the server.
    """

    def __init__(self, engine: Engine, config: str) -> None:
        """`config` is the path of the configuration file."""
        self._engine = engine
        self.daemon = EngineDaemon(engine)
        self._config = os.path.realpath(config)

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled; started() is called when the socket listens or was given up."""
        engine, path = self._engine, self._engine.settings.control_socket
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.daemon.run)
            if path == NO_SOCKET:
                task_status.started()
                return
            try:
                listening = await _listen(path)
            except SocketUnusableError as problem:
                engine.note(Level.WARNING, f"there is no control socket at {visible(path, 4096)}: {problem}")
                task_status.started()
                return
            hello = messages.hello(self._config, os.getpid(), engine.clock.now())
            try:
                task_status.started()
                await ControlServer(self.daemon, engine.bus, hello).run(listening.listener)
            except* Exception as defect:  # noqa: BLE001 - a bug in it must not end the sessions
                text = "".join(traceback.format_exception(defect))
                engine.note(
                    Level.ERROR,
                    f"internal error, so the control socket is closed; mail is retrieved without it: {text}",
                )
            finally:
                listening.close()


async def _listen(path: str) -> ControlSocket:
    """Return a socket that listens at `path`. Raises SocketUnusableError."""
    try:
        with trio.move_on_after(TIMEOUT):
            limiter = trio.CapacityLimiter(1)  # a hung file system must not hold a thread of others
            return await trio.to_thread.run_sync(ControlSocket, path, limiter=limiter, abandon_on_cancel=True)
    except RuntimeError as problem:
        if (limit := out_of_threads(problem)) is None:
            raise
        raise SocketUnusableError(str(limit)) from None
    raise SocketUnusableError(f"its file system has not answered for {TIMEOUT:g} s; check its disk or server")
