"""Facts fan out to whoever listens."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trio.testing import trio_test

import tui_popretr
from tests.support.clock import FakeClock
from tests.support.making import engine_settings
from tests.support.worlds import disk_without_threads
from tui_popretr.bus import Bus
from tui_popretr.engine.service import Engine
from tui_popretr.facts import (
    ClientFinished,
    ClientPaused,
    ClientsChanged,
    Dialogue,
    DialogueLine,
    Direction,
    Fact,
    SessionId,
)

PACKAGE = Path(tui_popretr.__file__).parent
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
    failures: list[object] = []
    bus = Bus(lambda subscriber, _: failures.append(subscriber))
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
    assert failures == [broken]


@pytest.mark.parametrize("dialogue", [False, True], ids=["a fact", "a line of dialogue"])
def test_without_on_failure_the_publisher_gets_the_exception_and_the_other_subscribers_the_fact(dialogue: bool) -> None:
    bus = Bus()
    heard: list[Fact] = []

    def wrong(fact: Fact) -> None:
        raise AssertionError(f"{fact} is not what the test wants")

    bus.subscribe(wrong, dialogue=True)
    bus.subscribe(heard.append, dialogue=True)
    with pytest.raises(AssertionError, match="not what the test wants"):
        if dialogue:
            bus.publish_dialogue(DIALOGUE)
        else:
            bus.publish(FACT)
    assert heard == ([LINES[0]] if dialogue else [FACT])
    bus.publish(OTHER)
    assert heard[-1] == OTHER


@trio_test
async def test_an_assertion_in_a_subscriber_of_an_engine_fails_the_test(tmp_path: Path) -> None:
    def wrong(fact: Fact) -> None:
        assert not isinstance(fact, ClientsChanged), "of the test"

    engine = Engine(engine_settings(tmp_path), Bus(), clock=FakeClock())
    engine.subscribe(wrong)
    with disk_without_threads(lambda: 0.0), pytest.raises(ExceptionGroup) as caught:
        await engine.run()
    assert caught.group_contains(AssertionError, match="of the test")


def test_an_engine_of_the_program_never_fails_with_its_subscribers() -> None:
    """`check` and `init` have no engine, and no subscriber but their own."""
    calls = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Bus"
        if not node.args and not node.keywords
    }
    assert calls == {"cli/probing.py", "cli/init/explore.py"}


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
