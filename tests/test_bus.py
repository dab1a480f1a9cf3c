"""The bus passes facts to its subscribers."""

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
    Direction,
    Fact,
    Level,
    Noted,
    SessionId,
    SessionStarted,
    client_of,
)

PACKAGE = Path(tui_popretr.__file__).parent
FACT, OTHER = ClientPaused("a"), ClientFinished("a")
SESSION, AT = SessionId("a", 1), datetime(2026, 11, 23, tzinfo=UTC)
DIALOGUE = Dialogue(SESSION, AT, [(Direction.OUT, "STAT"), (Direction.IN, "+OK 0 0")])


def test_every_subscriber_gets_every_fact_in_order() -> None:
    bus = Bus()
    first: list[Fact] = []
    second: list[Fact] = []
    bus.subscribe(first.append)
    bus.subscribe(second.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    assert first == second == [FACT, OTHER]


def test_dialogue_goes_to_its_own_subscribers() -> None:
    bus = Bus()
    facts: list[Fact] = []
    dialogue: list[Dialogue] = []
    bus.subscribe(facts.append)
    bus.subscribe_dialogue(dialogue.append)
    bus.publish(FACT)
    bus.publish_dialogue(DIALOGUE)
    assert (facts, dialogue) == ([FACT], [DIALOGUE])


def test_dialogue_is_wanted_while_it_has_subscribers() -> None:
    bus = Bus()
    received: list[Dialogue] = []
    wanted = []
    bus.subscribe(lambda fact: None)
    wanted.append(bus.wants_dialogue)
    bus.subscribe_dialogue(received.append)
    wanted.append(bus.wants_dialogue)
    bus.unsubscribe(received.append)
    wanted.append(bus.wants_dialogue)
    assert wanted == [False, True, False]
    bus.publish_dialogue(DIALOGUE)
    assert received == []


def test_unsubscribing_twice_is_harmless() -> None:
    bus = Bus()
    received: list[object] = []
    bus.subscribe(received.append)
    bus.subscribe_dialogue(received.append)
    bus.unsubscribe(received.append)
    bus.unsubscribe(received.append)
    bus.publish(FACT)
    bus.publish_dialogue(DIALOGUE)
    assert received == []


def test_a_subscriber_that_raises_is_removed() -> None:
    failures: list[tuple[object, Exception]] = []
    bus = Bus(lambda subscriber, problem: failures.append((subscriber, problem)))
    calls: list[Fact] = []
    received: list[Fact] = []
    problem = RuntimeError("a broken view")

    def broken(fact: Fact) -> None:
        calls.append(fact)
        raise problem

    bus.subscribe(broken)
    bus.subscribe(received.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    assert calls == [FACT]
    assert received == [FACT, OTHER]
    assert failures == [(broken, problem)]


def test_a_dialogue_subscriber_that_raises_is_removed() -> None:
    failures: list[object] = []
    bus = Bus(lambda subscriber, _: failures.append(subscriber))
    calls: list[Dialogue] = []
    received: list[Dialogue] = []

    def broken(dialogue: Dialogue) -> None:
        calls.append(dialogue)
        raise RuntimeError("a broken view")

    bus.subscribe_dialogue(broken)
    bus.subscribe_dialogue(received.append)
    bus.publish_dialogue(DIALOGUE)
    bus.publish_dialogue(DIALOGUE)
    assert calls == [DIALOGUE]
    assert received == [DIALOGUE, DIALOGUE]
    assert failures == [broken]


@pytest.mark.parametrize("dialogue", [False, True], ids=["a fact", "dialogue"])
def test_without_on_failure_the_publisher_gets_the_exception(dialogue: bool) -> None:
    """The other subscribers still get the fact."""
    bus = Bus()
    received: list[object] = []

    def wrong(fact: object) -> None:
        raise AssertionError(f"{fact} is not what the test wants")

    for subscriber in (wrong, received.append):
        if dialogue:
            bus.subscribe_dialogue(subscriber)
        else:
            bus.subscribe(subscriber)

    def publish() -> None:
        if dialogue:
            bus.publish_dialogue(DIALOGUE)
        else:
            bus.publish(FACT)

    with pytest.raises(AssertionError, match="not what the test wants"):
        publish()
    assert received == [DIALOGUE if dialogue else FACT]
    publish()
    assert len(received) == 2


@pytest.mark.parametrize(
    ("fact", "client"),
    [
        (FACT, "a"),
        (SessionStarted(SESSION, AT), "a"),
        (ClientsChanged(("a",)), None),
        (Noted(AT, Level.INFO, "a", "a line"), None),
    ],
    ids=["client", "session", "program", "log line"],
)
def test_a_fact_names_its_client(fact: Fact, client: str | None) -> None:
    assert client_of(fact) == client


@trio_test
async def test_an_assertion_in_an_engines_subscriber_fails_the_test(tmp_path: Path) -> None:
    def wrong(fact: Fact) -> None:
        assert not isinstance(fact, ClientsChanged), "of the test"

    engine = Engine(engine_settings(tmp_path), Bus(), clock=FakeClock())
    engine.subscribe(wrong)
    with disk_without_threads(lambda: 0.0), pytest.raises(ExceptionGroup) as caught:
        await engine.run()
    assert caught.group_contains(AssertionError, match="of the test")


def test_the_programs_engines_survive_failing_subscribers() -> None:
    """Only `check`, `init` and `waiting`, which have no engine, make a Bus without `on_failure`."""
    calls = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Bus"
        if not node.args and not node.keywords
    }
    assert calls == {"cli/probing.py", "cli/waiting.py"}


def test_a_subscriber_may_unsubscribe_while_it_is_called() -> None:
    bus = Bus()
    received: list[Fact] = []

    def once(fact: Fact) -> None:
        received.append(fact)
        bus.unsubscribe(once)

    bus.subscribe(once)
    bus.subscribe(received.append)
    bus.publish(FACT)
    bus.publish(OTHER)
    assert received == [FACT, FACT, OTHER]
