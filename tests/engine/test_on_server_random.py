"""Actions at random, at the same time as sessions, with a server that fails at random: nothing is lost."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.engine.test_on_server import on_server
from tests.support.popserver import Faults, QuitFault
from tests.support.running import Fleet
from tests.support.size import NIGHTLY
from tests.support.worlds import mail
from tui_popretr.answers import Done, WaitingMail
from tui_popretr.commands import (
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    MessageKey,
    PollClient,
    Query,
    SkipMessages,
    StopSession,
)
from tui_popretr.engine.service import Engine

#: Every second message is too large for the rules.
COUNT = 16
#: One that says +OK and deletes nothing lies about deletions, too.
QUITS = [each for each in QuitFault if each is not QuitFault.KEEP]
VERBS = ["PASS", "UIDL", "LIST", "TOP", "RETR", "DELE", "QUIT"]


class User:
    """Does something, and remembers what may have become of messages."""

    def __init__(self, engine: Engine, fleet: Fleet, chance: random.Random) -> None:
        self.deletions: set[str | None] = set()  # certain or not
        self.fetched = Counter[str | None]()
        self._engine = engine
        self._fleet = fleet
        self._chance = chance
        self._known: dict[str | None, MessageKey] = {}

    def break_something(self) -> None:
        chance, faults = self._chance, Faults(delay=self._chance.choice([0.0, 0.0, 0.3]))
        match chance.randrange(8):
            case 0:
                faults.hang_up.add(chance.choice(VERBS))
            case 1:
                faults.quit = chance.choice(QUITS)
            case 2:
                faults.cut[f"uid-{chance.randrange(COUNT)}"] = chance.randrange(3000)
            case 3:
                faults.stall.add(chance.choice(VERBS))
        self._fleet.servers["a"].faults = faults

    def choose(self) -> Query | None:
        chance = self._chance
        known = sorted(self._known.values(), key=repr)
        named = tuple(chance.sample(known, min(len(known), chance.randrange(1, 4))))
        match chance.randrange(10) if named else 0:
            case 0 | 1 | 2:
                return ListWaiting("a")
            case 3 | 4:
                self.fetched.update(key.uid for key in named)
                return FetchMessages("a", named)
            case 5:
                return DeleteMessages("a", named[:1])
            case 6 | 7:
                return SkipMessages("a", named)
            case 8:
                self._engine.perform(PollClient("a"))
            case _:
                self._engine.perform(StopSession("a"))
        return None

    async def ask(self, query: Query) -> None:
        try:
            answer = await self._engine.ask(query)
        except ValueError:
            answer = Done((), 0)
        if isinstance(answer, WaitingMail):
            self._known |= {
                each.uid: MessageKey(each.number, each.uid, each.size, each.digest) for each in answer.messages
            }
        elif isinstance(query, DeleteMessages) and isinstance(answer, Done) and not answer.failed:
            self.deletions |= {key.uid for key in query.messages}


@pytest.mark.parametrize("seed", range(100) if NIGHTLY else [1, 4])
@trio_test
async def test_nothing_is_lost_and_nothing_else_deleted(fleet: Fleet, autojump_clock: MockClock, seed: int) -> None:
    chance = random.Random(seed)
    preserve, new_only = chance.choice([(False, False), (False, True), (True, True)])
    client = fleet.client(frequency=50.0, preserve=preserve, new_only=new_only, max_size=1000)
    for number in range(1, COUNT + 1):
        fleet.drop().add(mail(number, b"x" * 3000 + b"\r\n" if number % 2 else b""))
    fleet.become(pipelining=chance.random() < 0.5)
    async with fleet.running(client) as engine:
        user = User(engine, fleet, chance)
        async with trio.open_nursery() as nursery:
            for _ in range(60 if NIGHTLY else 30):
                user.break_something()
                query = user.choose()
                if query is not None:
                    nursery.start_soon(user.ask, query)
                await trio.sleep(chance.choice([0.0, 0.01, 1.0, 20.0]))
            fleet.repair()
        for _ in range(2):
            engine.perform(PollClient("a"))
            await trio.sleep(1500.0)
        assert await engine._journal.run(lambda journal: journal.delivering()) == []
    arrived, left = Counter(fleet.arrived()), on_server(fleet)
    for number in range(1, COUNT + 1):
        uid = f"uid-{number}"
        assert uid in left or arrived[str(number)] or uid in user.deletions, f"{uid} is lost"
        assert arrived[str(number)] <= 1 + user.fetched[uid], f"{uid} came twice"
