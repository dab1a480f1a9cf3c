"""The demo's stage: a world that is served in a thread of its own, as long as the block lasts."""

from __future__ import annotations

import poplib
import threading
from collections.abc import Callable
from datetime import datetime

import pytest
import trio

from tests.support.clock import FakeClock, local
from tests.support.popserver_thread import PATIENCE
from tui_popretr.demo.server import HOST, DemoServer, Ports
from tui_popretr.demo.server_thread import DemoServerThread

NEWEST = local(2026, 11, 23)


def _stage_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "demo world"]


class Signalling(DemoServer):
    """Tells when mail begins to arrive."""

    def __init__(self, newest: datetime) -> None:
        super().__init__(newest)
        self.arriving = threading.Event()

    async def arrivals(self, now: Callable[[], datetime]) -> None:
        self.arriving.set()
        await super().arrivals(now)


def test_the_world_is_served_until_the_end_of_the_block() -> None:
    world = Signalling(NEWEST)
    with DemoServerThread(world, FakeClock()) as stage:
        port = stage.ports.clear
        client = poplib.POP3(HOST, port, timeout=PATIENCE)
        assert client.getwelcome().startswith(b"+OK")
        client.quit()
        assert world.arriving.wait(PATIENCE)
        assert len(_stage_threads()) == 1
    assert _stage_threads() == []
    assert stage.failures == []
    with pytest.raises(ConnectionRefusedError):
        poplib.POP3(HOST, port, timeout=PATIENCE)


def test_an_error_in_the_block_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), DemoServerThread(DemoServer(NEWEST), FakeClock()):
        raise ZeroDivisionError
    assert _stage_threads() == []


def test_a_world_that_cannot_be_served_is_told_at_once() -> None:
    class Deaf(DemoServer):
        async def serve(self, *, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
            raise OSError(98, "Address already in use")

    with pytest.raises(BaseExceptionGroup) as caught, DemoServerThread(Deaf(NEWEST), FakeClock()):
        raise AssertionError("there was nothing to show")
    assert caught.group_contains(OSError)
    assert _stage_threads() == []


def test_a_crash_is_kept_for_the_end() -> None:
    crashed = threading.Event()

    class Crashing(DemoServer):
        async def arrivals(self, now: Callable[[], datetime]) -> None:
            crashed.set()
            raise ValueError("no mail today")

    with DemoServerThread(Crashing(NEWEST), FakeClock()) as stage:
        assert crashed.wait(PATIENCE)
    assert stage.failures == ["ValueError('no mail today')"]


def test_a_session_that_failed_on_the_server_is_told() -> None:
    world = DemoServer(NEWEST)
    with DemoServerThread(world, FakeClock()) as stage:
        world.server.failures.append(KeyError("alice"))
    assert stage.failures == ["KeyError('alice')"]
