"""The dashboard under load: what it shows stays true, whatever is dropped or merged on the way. Nothing is timed."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest
import trio

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, play, result, retrieving
from tui_popretr.commands import Command
from tui_popretr.engine.service import Engine
from tui_popretr.facts import (
    ClientQueued,
    ClientScheduled,
    Dialogue,
    DialogueLine,
    Direction,
    Fact,
    MessageDelivered,
    RetrievalProgressed,
    SessionClosed,
    SessionId,
)
from tui_popretr.logs.items import Gap, Item
from tui_popretr.mailbox import LINES, Drained, Mailbox
from tui_popretr.status import View
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.shell.engine_thread import EngineThread
from tui_popretr.ui.widgets.clients import ClientList
from tui_popretr.ui.widgets.transcript import TranscriptPane

NAMES = [f"client-{number:04}" for number in range(200)]
FLOOD = 5 * LINES


class Boxed(ScriptedSource):
    """A source with facts that go through the real mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox()

    def tell(self, *facts: Fact, dropped: int = 0) -> None:
        for fact in facts:
            if isinstance(fact, DialogueLine):
                self.mailbox.on_dialogue(Dialogue(fact.session, fact.at, [(fact.direction, fact.text)]))
            else:
                self.mailbox(fact)

    def drain(self) -> Drained:
        return self.mailbox.drain()


def lines(first: int, count: int) -> list[DialogueLine]:
    """Lines that say their number, of all clients in turn."""
    at = FakeClock().now()
    return [
        DialogueLine(SessionId(NAMES[number % len(NAMES)], 1), at, Direction.IN, f"{number}")
        for number in range(first, first + count)
    ]


@dataclass
class Accounted:
    """What a list of items has: its lines by number, and where, and how many, are missing."""

    numbers: list[int]
    missing: int

    @classmethod
    def of(cls, items: list[Item]) -> Accounted:
        """Every gap must be as large as the step of the numbers around it."""
        numbers: list[int] = []
        missing = gap = 0
        for item in items:
            if isinstance(item, Gap):
                gap += item.count
                continue
            assert isinstance(item, DialogueLine)
            number = int(item.text)
            assert not numbers or number == numbers[-1] + 1 + gap
            numbers.append(number)
            missing += gap
            gap = 0
        return cls(numbers, missing)


def test_dropped_lines_are_counted_where_they_are_missing() -> None:
    async def scene(played: Played) -> None:
        await played.press("a")
        for first in range(0, 4 * FLOOD, FLOOD):
            await played.tell(*lines(first, FLOOD))
        pane = played.app.query_one(TranscriptPane)
        shown = Accounted.of(pane.view.shown.items)
        assert shown.numbers[-1] == 4 * FLOOD - 1
        assert len(shown.numbers) == 4 * LINES
        assert shown.missing == 4 * (FLOOD - LINES)
        assert f"{4 * FLOOD - 1}" in played.text

    play(scene, clients(*NAMES), source=Boxed())


def test_the_transcript_has_a_bound_and_its_end_is_in_view() -> None:
    async def scene(played: Played) -> None:
        await played.press("a")
        for first in range(0, 2 * LIMIT, LINES):
            await played.tell(*lines(first, LINES))
        pane = played.app.query_one(TranscriptPane)
        assert len(pane.view.shown) == LIMIT
        assert Accounted.of(pane.view.shown.items) == Accounted(list(range(LIMIT, 2 * LIMIT)), 0)
        assert f"{2 * LIMIT - 1}" in played.text
        assert pane.dialogue.forgotten() == LIMIT

    play(scene, clients(*NAMES), source=Boxed())


def happenings(dice: random.Random) -> Iterator[Fact]:
    """The facts of many simultaneous sessions, in random order between them."""
    at = FakeClock().now()
    runs = dict.fromkeys(NAMES, 0)
    waiting: dict[str, list[Fact]] = {name: [] for name in NAMES}
    for _ in range(6000):
        name = dice.choice(NAMES)
        if not waiting[name]:
            runs[name] += 1
            session = SessionId(name, runs[name])
            waiting[name] = [
                ClientQueued(name),
                *retrieving(name, at, run=runs[name], received=0, of=9, octets=0, of_octets=900),
                *(RetrievalProgressed(session, count, count * 100) for count in range(1, 7)),
                MessageDelivered(session, at, 1, "u", 100, "Mailbox=x", None, None, None),
                *(RetrievalProgressed(session, count, count * 100) for count in range(7, 10)),
                SessionClosed(session, result(at, messages=9)),
                *(ClientScheduled(name, float(due)) for due in range(3)),
            ]
        yield waiting[name].pop(0)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_mailbox_merges_changes_nothing_in_the_end(seed: int) -> None:
    dice = random.Random(seed)
    mailbox, merged, whole = Mailbox(), View(), View()
    now = FakeClock().now()
    all_ = clients(*NAMES)
    for view in (merged, whole):
        view.apply([all_], 0.0, now)
    facts = list(happenings(dice))
    taken = 0
    for fact in facts:
        mailbox(fact)
        if dice.random() < 0.005:
            drained = mailbox.drain().facts
            taken += len(drained)
            merged.apply(drained, 0.0, now)
    drained = mailbox.drain().facts
    taken += len(drained)
    merged.apply(drained, 0.0, now)
    whole.apply(facts, 0.0, now)
    assert merged.clients == whole.clients
    assert list(merged.mails) == list(whole.mails)
    assert list(merged.closed) == list(whole.closed)
    assert taken < len(facts)


def test_each_of_many_sessions_is_shown_as_it_is() -> None:
    at = FakeClock().now()

    async def scene(played: Played) -> None:
        for received in (3, 7):
            facts: list[Fact] = []
            for number, name in enumerate(NAMES):
                of = 10 + number
                facts += retrieving(name, at, received=received, of=of, octets=received * 100, of_octets=of * 100)
            await played.tell(*facts)
        assert "200 running" in played.text
        shown = [row for row in played.rows if "retrieving" in row]
        assert len(shown) > 30
        for name, row in zip(NAMES, shown, strict=False):
            assert name in row
            assert f"7/{10 + int(name[-4:])}" in row

    play(scene, clients(*NAMES), size=(200, 50), source=Boxed())


def test_clients_out_of_view_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"client-{number:04}" for number in range(5000)]
    drawn: list[int] = []
    draw = ClientList.render_line

    def render_line(self: ClientList, y: int) -> object:
        drawn.append(y)
        return draw(self, y)

    async def scene(played: Played) -> None:
        monkeypatch.setattr(ClientList, "render_line", render_line)
        await played.tell(*(ClientQueued(name) for name in names[100:]))
        assert drawn == []
        await played.tell(ClientQueued(names[2]))
        assert drawn == [3]
        assert "queued" in played.row(names[2])

    play(scene, clients(*names), source=Boxed())


def test_garbage_is_looked_for_more_rarely_than_by_default() -> None:
    """A round over all that a busy dashboard keeps takes 0.1 s and more, in which everything stands still."""
    code = "import gc; before = gc.get_threshold(); from tui_popretr.process.interpreter import collect; collect(); "
    code += "print(*(after / before for after, before in zip(gc.get_threshold()[:2], before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(float(times) >= 5 for times in done.stdout.split())


class IdleEngine:
    """Does nothing until the first command."""

    def __init__(self) -> None:
        self._ending = trio.Event()

    async def run(self) -> None:
        await self._ending.wait()

    def perform(self, command: Command) -> str:
        self._ending.set()
        return "ending"


def test_sessions_get_their_turn_sooner_while_there_is_a_screen() -> None:
    before = sys.getswitchinterval()
    with EngineThread(cast("Engine", IdleEngine())):
        assert sys.getswitchinterval() < before / 2
    assert sys.getswitchinterval() == before
