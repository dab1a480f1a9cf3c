"""A running engine with several clients, each with an account and a server of its own, on a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import trio

from tests.support.making import client_settings, engine_settings
from tests.support.passwords import PASSWORD, discreet
from tests.support.popserver import Faults, PopServer, ServedMaildrop
from tests.support.streams import MemoryStream, memory_connection
from tests.support.worlds import RunClock, disk_without_threads, mail
from tui_popretr.bus import Bus
from tui_popretr.commands import Command, Shutdown
from tui_popretr.config.account import Server
from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ServerUnreachable
from tui_popretr.facts import Fact, SessionAdvanced, SessionClosed, SessionResult, SessionStarted, Stage, TlsDetails
from tui_popretr.journal.journal import Journal
from tui_popretr.net.tls import TlsSession

F = TypeVar("F")


class Fleet:
    """Accounts by name, each on the server NAME.example.test; and the engine that polls them.

    Times are seconds of trio's clock. `facts` are all that the engine told, with the time of each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = RunClock()
        self.servers: dict[str, PopServer] = {}
        self.unreachable: set[str] = set()  # accounts whose servers refuse connections
        self.silent: set[str] = set()  # accounts whose servers never answer a connection
        self.facts: list[tuple[float, Fact]] = []
        self.defects: list[Exception] = []
        self.remember = 0  # past sessions that the engine publishes at its start
        self.disk = 0.0  # seconds that each use of the disk takes
        self.reloaded: Settings | Exception | None = None  # what the next reload finds
        self.ended: float | None = None

    # --- before -------------------------------------------------------------------------------------------------------

    def client(self, name: str = "a", *, mails: int = 0, password: str = PASSWORD, **changes: Any) -> ClientSettings:
        """A client, and its account; `password` is the one the server wants, `changes` are fields of ClientSettings."""
        drop = ServedMaildrop(name, password)
        for number in range(mails):
            drop.add(mail(f"{name}{number}"))
        self.servers[name] = PopServer([drop], keep_dialogue=True)
        return client_settings(name, self.folder, **changes)

    def drop(self, name: str = "a") -> ServedMaildrop:
        return self.servers[name].maildrops[name]

    def faults(self, name: str = "a") -> Faults:
        return self.servers[name].faults

    def become(self, name: str = "a", **policy: Any) -> None:
        """Change what a server offers from its next connection on."""
        self.servers[name].policy = replace(self.servers[name].policy, **policy)

    def settings(self, *clients: ClientSettings, **changes: Any) -> Settings:
        return engine_settings(self.folder, *clients, **changes)

    # --- running ------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(
        self, *clients: ClientSettings, until_done: bool = False, reload: bool = True, **settings: Any
    ) -> AsyncIterator[Engine]:
        """Run an engine; at the end of the block it is shut down, if it runs still."""
        self.engine = engine = Engine(
            self.settings(*clients, **settings),
            Bus(lambda _, defect: self.defects.append(defect)),
            clock=self.clock,
            connector=self._connect,
            reloader=self._reload if reload else None,
            until_done=until_done,
            remember=self.remember,
        )
        engine.subscribe(lambda fact: self.facts.append((trio.current_time(), fact)))
        with disk_without_threads(lambda: self.disk):
            async with trio.open_nursery() as self._peers:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._run, engine)
                    yield engine
                    if self.ended is None:
                        engine.perform(Shutdown())
                self._peers.cancel_scope.cancel()
        assert self.defects == []
        discreet(*(repr(fact) for _, fact in self.facts))
        assert all(server.failures == [] for server in self.servers.values())

    async def until_done(self, *clients: ClientSettings, **settings: Any) -> Engine:
        """Run an engine until its clients have done their runs."""
        async with self.running(*clients, until_done=True, **settings) as engine:
            await self.wait_for(lambda: self.ended is not None)
        return engine

    async def perform(self, command: Command) -> str:
        """Give a command, and let what it leads to at once happen."""
        answer = self.engine.perform(command)
        await trio.testing.wait_all_tasks_blocked()
        return answer

    async def wait_for(self, condition: Callable[[], bool], *, timeout: float = 7 * 24 * 3600) -> None:
        """Wait until something is so, looking at it ten times a second."""
        with trio.fail_after(timeout):
            while not condition():  # noqa: ASYNC110 - there is no event for all that tests wait for
                await trio.sleep(0.1)

    async def _run(self, engine: Engine) -> None:
        await engine.run()
        self.ended = trio.current_time()

    async def _connect(self, server: Server, timeout: float) -> MemoryStream:
        name = server.host.partition(".")[0]
        if name in self.silent:
            await trio.sleep(timeout)
            raise ServerUnreachable(f"{server.host} did not answer")
        await trio.lowlevel.checkpoint()
        if name in self.unreachable:
            raise ServerUnreachable(f"{server.host} refused the connection")
        stream, end = memory_connection(handshake=_never)
        self._peers.start_soon(self.servers[name].serve_stream, end)
        return stream

    def _reload(self) -> Settings:
        assert self.reloaded is not None
        if isinstance(self.reloaded, Exception):
            raise self.reloaded
        return self.reloaded

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def of(self, kind: type[F], client: str | None = None) -> list[F]:
        """The facts of one kind, of one client or of all."""
        found = [fact for _, fact in self.facts if isinstance(fact, kind)]
        return [fact for fact in found if client is None or _client_of(fact) == client]

    def times(self, kind: type[Fact], client: str = "a") -> list[float]:
        """When facts of one kind happened to a client; to the millisecond."""
        return [round(time, 3) for time, fact in self.facts if isinstance(fact, kind) and _client_of(fact) == client]

    def starts(self, client: str = "a") -> list[float]:
        return self.times(SessionStarted, client)

    def ends(self, client: str = "a") -> list[float]:
        return self.times(SessionClosed, client)

    def results(self, client: str = "a") -> list[SessionResult]:
        return [fact.result for fact in self.of(SessionClosed, client)]

    def said(self, name: str = "a") -> list[str]:
        """The commands given to a server, without their arguments."""
        return [line.text.decode().split(" ")[0] for line in self.servers[name].dialogue if line.sender == "C"]

    def stage(self, client: str = "a") -> Stage:
        """Where a client's session is, or was last."""
        return self.of(SessionAdvanced, client)[-1].stage

    def arrived(self, name: str = "a") -> list[str]:
        """The messages that were delivered for an account, by the names in their Message-IDs."""
        new = self.folder / name / "new"
        return sorted(path.read_text().partition("<")[2].partition("@")[0] for path in new.iterdir())

    def repair(self, name: str = "a") -> None:
        """From now on the server behaves."""
        self.silent.discard(name)
        self.servers[name].faults = Faults()

    def disk_recovers_after(self, seconds: float) -> None:
        """Let the disk be quick again, that much later."""

        async def recover() -> None:
            await trio.sleep(seconds)
            self.disk = 0.0

        self._peers.start_soon(recover)

    def journal(self) -> Journal:
        """The journal, to look at; it is the caller's to close."""
        return Journal.open(str(self.folder / "popretr.sqlite"))


def _client_of(fact: object) -> str | None:
    session = getattr(fact, "session", None)
    client: str | None = session.client if session is not None else getattr(fact, "client", None)
    return client


async def _never(session: TlsSession) -> TlsDetails:
    await trio.sleep_forever()
    raise AssertionError("unreachable")
