"""The demo's world: a server that serves its accounts, and mail that keeps arriving."""

from __future__ import annotations

import poplib
import ssl

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import local
from tui_popretr.demo import server as world_module
from tui_popretr.demo.server import HOST, DemoServer, Ports
from tui_popretr.popserver.certificates import ca_path

NEWEST = local(2026, 11, 23)


def _count(pop: poplib.POP3, name: str) -> int:
    try:
        pop.user(name)
        pop.pass_(f"{name}-in-wonderland")
        count, _ = pop.stat()
        pop.quit()
        return count
    finally:
        pop.close()


@trio_test
async def test_the_accounts_are_served_in_clear_and_under_tls() -> None:
    def counts(ports: Ports) -> tuple[int, int]:
        context = ssl.create_default_context(cafile=ca_path())
        in_clear = _count(poplib.POP3(HOST, ports.clear, timeout=20), "alice")
        return in_clear, _count(poplib.POP3_SSL(HOST, ports.tls, timeout=20, context=context), "bella")

    world = DemoServer(NEWEST)
    async with trio.open_nursery() as nursery:
        ports = await nursery.start(world.serve)
        assert await trio.to_thread.run_sync(counts, ports) == (120, 12)
        nursery.cancel_scope.cancel()
    assert world.server.failures == []


@trio_test
async def test_mail_keeps_arriving(autojump_clock: MockClock) -> None:
    world = DemoServer(NEWEST)
    before = list(world.busy.messages)
    with trio.move_on_after(60):
        await world.arrivals(lambda: NEWEST)
    new = world.busy.messages[len(before) :]
    assert 30 <= len(new) < 60
    assert world.busy.messages[: len(before)] == before
    assert len({message.uid for message in world.busy.messages}) == len(before) + len(new)
    texts = {b"".join(message.chunks()) for message in world.busy.messages}
    assert len(texts) == len(before) + len(new)


@trio_test
async def test_mail_arrives_everywhere_but_where_nobody_gets_in(autojump_clock: MockClock) -> None:
    world = DemoServer(NEWEST)
    before = {account.id: len(account.maildrop.messages) for account in world.accounts}
    with trio.move_on_after(130):
        await world.arrivals(lambda: NEWEST)
    grown = {account.id: len(account.maildrop.messages) - before[account.id] for account in world.accounts}
    assert grown.pop("wrongpass") == 0
    assert grown.pop("huge") == 1
    assert min(grown.values()) >= 2


@trio_test
async def test_huge_mail_stops_before_the_disk_is_full(autojump_clock: MockClock) -> None:
    world = DemoServer(NEWEST)
    (huge,) = [account for account in world.accounts if account.huge]
    with trio.move_on_after(3600):
        await world.arrivals(lambda: NEWEST)
    assert len(huge.maildrop.messages) == 4
    assert sum(message.size for message in huge.maildrop.messages) < 300_000_000


@trio_test
async def test_mail_stops_arriving_when_nobody_fetches_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world_module, "MOST_WAITING", 125)
    world = DemoServer(NEWEST)
    with trio.move_on_after(60):
        await world.arrivals(lambda: NEWEST)
    assert len(world.busy.messages) == 125
    world.busy.update(list(world.busy.messages))
    with trio.move_on_after(20):
        await world.arrivals(lambda: NEWEST)
    assert 10 <= len(world.busy.messages) <= 20
