"""What is remembered of servers that cannot do PIPELINING, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.support.clock import FakeClock
from tests.support.journals import open_journals
from tests.support.making import server_settings
from tests.support.streams import memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import Server
from tui_popretr.errors import JournalError
from tui_popretr.facts import SessionId
from tui_popretr.journal.records import PipeliningFailure
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.pipelining import Pipelining, PipeliningHistory

SERVER = server_settings()


class Remembered:
    """An experience in a journal, and a clock."""

    def __init__(self, path: Path) -> None:
        self.folder = path
        self.clock = FakeClock()

    @asynccontextmanager
    async def process(self) -> AsyncIterator[None]:
        """A process that has the journal open."""
        self.pipelining_history = PipeliningHistory()
        async with open_journals(self.folder) as self.journals:
            self.thread = self.journals.journal
            yield

    async def pipelining(self, server: Server = SERVER) -> bool:
        return await self.pipelining_history.trusts(server, self.thread, self.clock)

    async def failed(self, server: Server = SERVER, *, began: float = 0.0, at_first: bool = True) -> int:
        """`began`: so many seconds ago."""
        since = self.clock.now().timestamp() - began
        return await self.pipelining_history.failed(server, self.thread, self.clock, since=since, at_first=at_first)

    async def succeeded(self, server: Server = SERVER) -> None:
        await self.pipelining_history.succeeded(server, self.thread)

    async def journal(self) -> list[PipeliningFailure]:
        return await self.thread.run(lambda journal: journal.pipelining_failures())


@pytest.fixture
def remembered(tmp_path: Path) -> Remembered:
    return Remembered(tmp_path)


@trio_test
async def test_it_rests_for_a_day_and_then_for_thirty(remembered: Remembered) -> None:
    for days in (1, 30, 30):
        async with remembered.process():
            assert await remembered.pipelining()
            assert await remembered.failed() == days
            assert not await remembered.pipelining()
        async with remembered.process():
            assert not await remembered.pipelining()
            remembered.clock.advance(days * 24 * 3600 - 1)
            assert not await remembered.pipelining()
            remembered.clock.advance(1)
            assert await remembered.pipelining()


@trio_test
async def test_a_late_failure_must_happen_twice_in_a_row(remembered: Remembered) -> None:
    async with remembered.process():
        for days in (0, 1):
            assert await remembered.pipelining()
            assert await remembered.failed(at_first=False) == days
        assert not await remembered.pipelining()
        remembered.clock.advance(24 * 3600)
        assert await remembered.failed(at_first=False) == 30
        await remembered.succeeded()
        assert await remembered.failed(at_first=False) == 0


@trio_test
async def test_a_success_ends_it(remembered: Remembered) -> None:
    async with remembered.process():
        assert await remembered.pipelining()
        await remembered.failed()
        await remembered.succeeded()
        assert await remembered.pipelining()
        assert await remembered.journal() == []
        assert await remembered.failed() == 1


@trio_test
async def test_failures_of_several_clients_at_once_count_as_one(remembered: Remembered) -> None:
    async with remembered.process():
        assert await remembered.pipelining()
        for at_first, days in ((False, 0), (True, 1)):
            remembered.clock.advance(60)
            assert [await remembered.failed(began=5.0, at_first=at_first) for _ in range(5)] == [days] * 5
            remembered.clock.advance(4)
            assert await remembered.failed(began=5.0, at_first=at_first) == days


@trio_test
async def test_it_is_a_matter_of_host_and_port(remembered: Remembered) -> None:
    """A middlebox may understand what is said in clear on 110, and nothing on 995."""
    async with remembered.process():
        assert await remembered.pipelining()
        await remembered.failed(server_settings("POP.Example.TEST"))
        assert not await remembered.pipelining(server_settings("pop.example.test", user="another"))
        assert await remembered.pipelining(server_settings(port=995))
        assert await remembered.pipelining(server_settings("pop.example.org"))


@trio_test
async def test_a_clock_that_was_put_back_ends_it(remembered: Remembered) -> None:
    async with remembered.process():
        assert await remembered.pipelining()
        await remembered.failed()
        remembered.clock.set(wall=remembered.clock.wall - timedelta(days=365))
        assert await remembered.pipelining()


@trio_test
async def test_the_journal_is_read_once_and_written_on_change(remembered: Remembered) -> None:
    async with remembered.process():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(remembered.pipelining)
        remembered.journals.connection.close()  # using it now fails
        assert await remembered.pipelining()
        await remembered.succeeded()
        with pytest.raises(JournalError):
            await remembered.failed()


@trio_test
async def test_sessions_that_break_at_the_same_time_are_one_failure(remembered: Remembered) -> None:
    """What counts is when the connection with pipelining was begun, and not the one after it."""
    capabilities = Capabilities.parse(b"PIPELINING\r\n")
    stream, _ = memory_connection()
    connection = Pop3Connection(stream, SessionId("a", 1), Bus(), remembered.clock, timeout=30.0)
    async with remembered.process():
        sessions = [
            Pipelining(SERVER, remembered.pipelining_history, remembered.thread, remembered.clock) for _ in range(3)
        ]
        for session in sessions:
            assert await session.begin(connection, capabilities)
        remembered.clock.advance(10)
        for session in sessions:
            session.suspect_server(None, at_first=False)
            assert not await session.begin(connection, capabilities)
            remembered.clock.advance(10)
            assert await session.record_outcome() is None
        assert await remembered.pipelining()
    connection.close()
