"""Two hundred clients in one process: sessions overlap, limits hold, and a dead server delays nobody else."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import trio

from tests.program.site import PASSWORD, Site, client
from tests.support.popserver import PopServer, ServedMaildrop
from tests.support.waiting import PATIENCE
from tui_popretr.commands import Shutdown
from tui_popretr.facts import ClientScheduled, Fact, SessionClosed

SERVERS, EACH = 20, 10  # clients of each
TOTAL, PER_SERVER = 32, 4
SILENT = "127.0.3.1"


def name(server: int, number: int) -> str:
    return f"s{server}n{number}"


class Fleet:
    """Servers on addresses of their own, which count the sessions that they have at the same time."""

    def __init__(self, *, barrier: int) -> None:
        """No server greets before there are so many sessions."""
        self.active = Counter[str]()
        self.most = Counter[str]()
        self.drops = [ServedMaildrop(name(server, n), PASSWORD) for server in range(SERVERS) for n in range(EACH)]
        for drop in self.drops:
            for number in range(3):
                drop.add(b"Message-ID: <%d-%b@fleet.test>\r\n\r\ntext\r\n" % (number, drop.name.encode()))
        self._server = PopServer(self.drops)
        self._barrier = barrier
        self._all_there = trio.Event()
        self._ports: dict[str, int] = {}

    async def listen(self, host: str, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen on an address until cancelled."""
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        self._ports[host] = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(partial(self._serve, host), [listener])

    async def _serve(self, host: str, stream: trio.SocketStream) -> None:
        for what in ("all", host):
            self.active[what] += 1
            self.most[what] = max(self.most[what], self.active[what])
        try:
            if self.active["all"] >= self._barrier:
                self._all_there.set()
            await self._all_there.wait()
            if host == SILENT:
                await trio.sleep_forever()
            await self._server.serve_stream(stream)
        finally:
            self.active["all"] -= 1
            self.active[host] -= 1

    def address(self, host: str) -> str:
        return f"{host}:{self._ports[host]}"


def host(server: int) -> str:
    return f"127.0.2.{server + 1}"


def test_two_hundred_clients(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    silent = [f"silent{n}" for n in range(PER_SERVER + 2)]

    async def main() -> Fleet:
        fleet = Fleet(barrier=TOTAL)
        async with trio.open_nursery() as nursery:
            for each in (*(host(server) for server in range(SERVERS)), SILENT):
                await nursery.start(partial(fleet.listen, each))
            clients = [client(each, fleet.address(SILENT)) for each in silent]
            clients += [client(name(s, n), fleet.address(host(s))) for s in range(SERVERS) for n in range(EACH)]
            site.configure(*clients, timeout="10m", more=f'<concurrency total="{TOTAL}" perserver="{PER_SERVER}"/>')
            closed: set[str] = set()
            all_but_the_silent = trio.Event()

            def count(fact: Fact) -> None:
                if isinstance(fact, SessionClosed):
                    closed.add(fact.session.client)
                    if len(closed) == SERVERS * EACH:
                        all_but_the_silent.set()

            engine, run = site.engine(count)
            with trio.fail_after(2 * PATIENCE):
                async with trio.open_nursery() as running:
                    running.start_soon(engine.run)
                    await all_but_the_silent.wait()
                    # freq="0": all are due at once, however many they are
                    assert len({fact.due for fact in run.of(ClientScheduled)}) == 1
                    # the sessions with the dead server are still waiting, and the two for which there was no place
                    assert fleet.active[SILENT] == PER_SERVER
                    assert closed.isdisjoint(silent)
                    assert all(result.ok and result.messages == 3 for result in engine.results.values())
                    engine.perform(Shutdown())
            nursery.cancel_scope.cancel()
        return fleet

    fleet = trio.run(main)
    assert fleet.most["all"] == TOTAL
    assert max(most for where, most in fleet.most.items() if where != "all") == PER_SERVER
    assert all(drop.logins == 1 and drop.messages == [] for drop in fleet.drops)
    assert all(len(site.mailbox(drop.name)) == 3 for drop in fleet.drops)
    assert len(site.audit()) == 3 * SERVERS * EACH
