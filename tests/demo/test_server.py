"""The demo's server: its accounts, mail that keeps arriving, and the thread that runs it."""

from __future__ import annotations

import poplib
import ssl
import threading
from collections.abc import Callable
from datetime import datetime

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock, local
from tests.support.waiting import PATIENCE
from tui_popretr.demo import server as server_module
from tui_popretr.demo.server import HOST, DemoServer, DemoServerThread, Ports
from tui_popretr.popserver import ServedMaildrop
from tui_popretr.popserver.certificates import ca_path

NEWEST = local(2026, 11, 23)


def _busy(demo: DemoServer) -> ServedMaildrop:
    return demo.accounts[0].maildrop


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

    demo = DemoServer(NEWEST)
    async with trio.open_nursery() as nursery:
        ports = await nursery.start(demo.serve)
        assert await trio.to_thread.run_sync(counts, ports) == (120, 12)
        nursery.cancel_scope.cancel()
    assert demo.server.failures == []


@trio_test
async def test_mail_keeps_arriving(autojump_clock: MockClock) -> None:
    demo = DemoServer(NEWEST)
    before = list(_busy(demo).messages)
    with trio.move_on_after(60):
        await demo.arrivals(lambda: NEWEST)
    new = _busy(demo).messages[len(before) :]
    assert 30 <= len(new) < 60
    assert _busy(demo).messages[: len(before)] == before
    assert len({message.uid for message in _busy(demo).messages}) == len(before) + len(new)
    texts = {b"".join(message.chunks()) for message in _busy(demo).messages}
    assert len(texts) == len(before) + len(new)


@trio_test
async def test_mail_arrives_for_all_accounts_but_wrongpass(autojump_clock: MockClock) -> None:
    demo = DemoServer(NEWEST)
    before = {account.id: len(account.maildrop.messages) for account in demo.accounts}
    with trio.move_on_after(130):
        await demo.arrivals(lambda: NEWEST)
    grown = {account.id: len(account.maildrop.messages) - before[account.id] for account in demo.accounts}
    assert grown.pop("wrongpass") == 0
    assert grown.pop("huge") == 1
    assert min(grown.values()) >= 2


@trio_test
async def test_the_number_of_huge_mails_is_limited(autojump_clock: MockClock) -> None:
    demo = DemoServer(NEWEST)
    (huge,) = [account for account in demo.accounts if account.huge]
    with trio.move_on_after(3600):
        await demo.arrivals(lambda: NEWEST)
    assert len(huge.maildrop.messages) == 4
    assert sum(message.size for message in huge.maildrop.messages) < 300_000_000


@trio_test
async def test_mail_stops_arriving_when_none_is_retrieved(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_WAITING", 125)
    demo = DemoServer(NEWEST)
    with trio.move_on_after(60):
        await demo.arrivals(lambda: NEWEST)
    assert len(_busy(demo).messages) == 125
    _busy(demo).update(list(_busy(demo).messages))
    with trio.move_on_after(20):
        await demo.arrivals(lambda: NEWEST)
    assert 10 <= len(_busy(demo).messages) <= 20


# --- in a thread ------------------------------------------------------------------------------------------------------


def _server_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "demo server"]


class Signalling(DemoServer):
    """Sets an event when mail begins to arrive."""

    def __init__(self, newest: datetime) -> None:
        super().__init__(newest)
        self.arriving = threading.Event()

    async def arrivals(self, now: Callable[[], datetime]) -> None:
        self.arriving.set()
        await super().arrivals(now)


def test_the_server_runs_until_the_end_of_the_block() -> None:
    demo = Signalling(NEWEST)
    with DemoServerThread(demo, FakeClock()) as thread:
        port = thread.ports.clear
        client = poplib.POP3(HOST, port, timeout=PATIENCE)
        assert client.getwelcome().startswith(b"+OK")
        client.quit()
        assert demo.arriving.wait(PATIENCE)
        assert len(_server_threads()) == 1
    assert _server_threads() == []
    assert thread.failures == []
    with pytest.raises(ConnectionRefusedError):
        poplib.POP3(HOST, port, timeout=PATIENCE)


def test_an_error_in_the_block_stops_the_server() -> None:
    with pytest.raises(ZeroDivisionError), DemoServerThread(DemoServer(NEWEST), FakeClock()):
        raise ZeroDivisionError
    assert _server_threads() == []


def test_a_server_that_cannot_listen_raises_at_once() -> None:
    class Deaf(DemoServer):
        async def serve(self, *, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
            raise OSError(98, "Address already in use")

    with pytest.raises(BaseExceptionGroup) as caught, DemoServerThread(Deaf(NEWEST), FakeClock()):
        raise AssertionError("the block must not run")
    assert caught.group_contains(OSError)
    assert _server_threads() == []


def test_a_crash_of_the_server_is_reported() -> None:
    crashed = threading.Event()

    class Crashing(DemoServer):
        async def arrivals(self, now: Callable[[], datetime]) -> None:
            crashed.set()
            raise ValueError("no mail today")

    with DemoServerThread(Crashing(NEWEST), FakeClock()) as thread:
        assert crashed.wait(PATIENCE)
    assert thread.failures == ["ValueError('no mail today')"]


def test_a_failed_session_on_the_server_is_reported() -> None:
    demo = DemoServer(NEWEST)
    with DemoServerThread(demo, FakeClock()) as thread:
        demo.server.failures.append(KeyError("alice"))
    assert thread.failures == ["KeyError('alice')"]
