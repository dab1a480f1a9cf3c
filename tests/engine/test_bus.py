"""Facts fan out to whoever listens."""

from __future__ import annotations

from datetime import UTC, datetime

from tui_popretr.engine.bus import Bus
from tui_popretr.facts import ClientFinished, ClientPaused, Dialogue, DialogueLine, Direction, Fact, SessionId

FACT, OTHER = ClientPaused("a"), ClientFinished("a")
SESSION, AT = SessionId("a", 1), datetime(2026, 11, 23, tzinfo=UTC)
DIALOGUE = Dialogue(SESSION, AT, [(Direction.OUT, "STAT"), (Direction.IN, "+OK 0 0")])
LINES = [DialogueLine(SESSION, AT, Direction.OUT, "STAT"), DialogueLine(SESSION, AT, Direction.IN, "+OK 0 0")]


def test_every_subscriber_hears_every_fact_in_order() -> None:
    bus = Bus()
    first: list[Fact] = []
    second: list[Fact] = []
    bus.subscribe(first.append)
    bus.subscribe(second.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    assert first == second == [FACT, OTHER]


def test_dialogue_is_heard_by_those_who_asked_for_it() -> None:
    bus = Bus()
    plain: list[Fact] = []
    both: list[Fact] = []
    only: list[Dialogue] = []
    bus.subscribe(plain.append)
    bus.subscribe(both.append, dialogue=True)
    bus.listen(only.append)
    bus.publish(FACT)
    bus.publish_dialogue(DIALOGUE)
    assert (plain, both, only) == ([FACT], [FACT, *LINES], [DIALOGUE])


def test_dialogue_is_wanted_while_somebody_listens_to_it() -> None:
    bus = Bus()
    heard: list[Dialogue] = []
    wanted = []
    bus.subscribe(lambda fact: None)
    wanted.append(bus.wants_dialogue)
    bus.listen(heard.append)
    wanted.append(bus.wants_dialogue)
    bus.unsubscribe(heard.append)
    wanted.append(bus.wants_dialogue)
    assert wanted == [False, True, False]
    bus.publish_dialogue(DIALOGUE)
    assert heard == []


def test_unsubscribing_twice_is_harmless() -> None:
    bus = Bus()
    heard: list[Fact] = []
    bus.subscribe(heard.append, dialogue=True)
    bus.unsubscribe(heard.append)
    bus.unsubscribe(heard.append)
    bus.publish(FACT)
    assert heard == []


def test_a_subscriber_that_fails_is_dropped_and_costs_nobody_a_fact() -> None:
    failures: list[tuple[object, Exception]] = []
    bus = Bus(lambda subscriber, problem: failures.append((subscriber, problem)))
    calls: list[Fact] = []
    heard: list[Fact] = []
    problem = RuntimeError("a broken view")

    def broken(fact: Fact) -> None:
        calls.append(fact)
        raise problem

    bus.subscribe(broken, dialogue=True)
    bus.subscribe(heard.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    bus.publish_dialogue(DIALOGUE)
    assert calls == [FACT]
    assert heard == [FACT, OTHER]
    assert failures == [(broken, problem)]
    assert not bus.wants_dialogue


def test_a_listener_that_fails_is_dropped_in_the_middle_of_a_dialogue() -> None:
    bus = Bus()
    calls: list[Fact] = []
    heard: list[Fact] = []

    def broken(fact: Fact) -> None:
        calls.append(fact)
        raise RuntimeError("a broken view")

    bus.subscribe(broken, dialogue=True)
    bus.subscribe(heard.append, dialogue=True)
    bus.publish_dialogue(DIALOGUE)
    assert calls == LINES[:1]
    assert heard == LINES


def test_without_anybody_to_tell_a_broken_subscriber_is_just_dropped() -> None:
    bus = Bus()
    heard: list[Fact] = []

    def broken(fact: Fact) -> None:
        raise RuntimeError("a broken view")

    bus.subscribe(broken)
    bus.subscribe(heard.append)
    bus.publish(FACT)
    assert heard == [FACT]


def test_a_subscriber_may_leave_while_it_is_told_something() -> None:
    bus = Bus()
    heard: list[Fact] = []

    def once(fact: Fact) -> None:
        heard.append(fact)
        bus.unsubscribe(once)

    bus.subscribe(once)
    bus.subscribe(heard.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    assert heard == [FACT, FACT, OTHER]
