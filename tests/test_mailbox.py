"""The mailbox: no fact is lost, memory is bounded, and the order is kept."""

from __future__ import annotations

import threading
import weakref
from itertools import pairwise

import pytest

from tests.support.clock import FakeClock
from tests.support.dashboard import dialogue
from tui_popretr.facts import (
    ClientScheduled,
    Dialogue,
    DialogueLine,
    Direction,
    Fact,
    Level,
    Noted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionId,
    Stage,
)
from tui_popretr.mailbox import Drained, Mailbox

NOW = FakeClock().now()
A, B = SessionId("a", 1), SessionId("b", 1)


class Said(list[tuple[Direction, str]]):
    """A list that can be watched."""


def piece(*lines: DialogueLine) -> Dialogue:
    return Dialogue(lines[0].session, lines[0].at, Said((line.direction, line.text) for line in lines))


def drained(*facts: Fact, lines: int = 3) -> Drained:
    mailbox = Mailbox(lines)
    for fact in facts:
        mailbox(fact)
    return mailbox.drain()


def test_facts_come_out_once_in_their_order() -> None:
    mailbox = Mailbox()
    facts: list[Fact] = [SessionAdvanced(A, Stage.LOGIN), Noted(NOW, Level.INFO, "a", "x"), ClientScheduled("a", 1.0)]
    for fact in facts:
        mailbox(fact)
    assert mailbox.drain() == Drained(facts, [], 0)
    assert mailbox.drain() == Drained([], [], 0)


def test_only_the_latest_progress_of_each_client_is_kept() -> None:
    many = [RetrievalProgressed(session, count, count) for count in range(1000) for session in (A, B)]
    assert drained(*many).facts == many[-2:]


def test_progress_is_not_moved_across_other_facts_of_its_client() -> None:
    facts: list[Fact] = [
        RetrievalProgressed(A, 1, 1),
        SessionAdvanced(A, Stage.CLOSING),
        RetrievalProgressed(A, 2, 2),
        RetrievalProgressed(B, 1, 1),
    ]
    assert drained(*facts).facts == facts


def test_a_note_about_a_client_is_no_fact_of_it() -> None:
    note = Noted(NOW, Level.INFO, "a", "x")
    assert drained(ClientScheduled("a", 1.0), note, ClientScheduled("a", 2.0)).facts == [
        ClientScheduled("a", 2.0),
        note,
    ]


def test_progress_after_a_drain_stands_for_itself() -> None:
    mailbox = Mailbox()
    mailbox(RetrievalProgressed(A, 1, 1))
    mailbox.drain()
    mailbox(RetrievalProgressed(A, 2, 2))
    assert mailbox.drain().facts == [RetrievalProgressed(A, 2, 2)]


def test_the_oldest_lines_are_dropped_and_counted() -> None:
    lines = dialogue("a", NOW, [f"C: {number}" for number in range(5)])
    mailbox = Mailbox(3)
    for line in lines:
        mailbox.on_dialogue(piece(line))
    assert mailbox.drain() == Drained([], lines[2:], 2)
    mailbox.on_dialogue(piece(lines[0]))
    assert mailbox.drain() == Drained([], lines[:1], 0)


@pytest.mark.parametrize("cuts", [(9,), (4, 9), (1, 2, 9), (7, 9), (5, 6, 9)])
def test_the_oldest_lines_of_a_long_piece_are_dropped(cuts: tuple[int, ...]) -> None:
    lines = dialogue("a", NOW, [f"C: {number}" for number in range(9)])
    mailbox = Mailbox(3)
    for first, last in pairwise((0, *cuts)):
        mailbox.on_dialogue(piece(*lines[first:last]))
    assert mailbox.drain() == Drained([], lines[6:], 6)


def test_what_waits_is_bounded() -> None:
    mailbox = Mailbox(3)
    line = dialogue("a", NOW, ["C: NOOP"])[0]
    alive = []
    for _ in range(100):
        heard = piece(line, line)
        alive.append(weakref.ref(heard.said))
        mailbox.on_dialogue(heard)
    del heard
    assert sum(said() is not None for said in alive) <= 3


def test_no_line_is_lost_uncounted_between_two_threads() -> None:
    mailbox = Mailbox(50)
    heard = piece(*dialogue("a", NOW, ["C: NOOP", "S: +OK"]))
    sent = 20_000

    def write() -> None:
        for _ in range(sent // 2):
            mailbox.on_dialogue(heard)

    writer = threading.Thread(target=write)
    writer.start()
    taken: list[DialogueLine] = []
    dropped = 0
    while writer.is_alive():
        news = mailbox.drain()
        taken += news.lines
        dropped += news.dropped
    news = mailbox.drain()
    assert len(taken) + len(news.lines) + dropped + news.dropped == sent
