"""Facts and snapshots as JSON and back; whatever else comes is an InvalidMessageError."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.control.serving import check_server_message
from tests.support.clock import FakeClock
from tests.support.dashboard import clients, closed, result
from tui_popretr.control import messages, snapshots
from tui_popretr.control.codec import (
    EVENTS,
    InvalidMessageError,
    event_from_json,
    event_name,
    event_to_json,
    from_json,
    to_json,
)
from tui_popretr.control.messages import Hello, Request
from tui_popretr.control.snapshots import SnapshotParts
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientScheduled,
    DialogueLine,
    Direction,
    Fact,
    Level,
    MessageDelivered,
    Noted,
    PastSession,
    SessionClosed,
    SessionId,
)
from tui_popretr.status import ClientView, View

TEXTS = st.text()
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
for kind, values in (
    (SessionId, st.builds(SessionId, TEXTS, st.integers(0, 10**12 - 1))),
    (
        datetime,
        st.datetimes(
            min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
            timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-3))]),
        ),
    ),
    (float, FLOATS),
):
    st.register_type_strategy(kind, values)

FACTS = st.one_of([st.from_type(kind) for kind in EVENTS.values()])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def over_the_wire(message: dict[str, Any]) -> dict[str, Any]:
    return messages.decode(messages.encode(message))


@given(FACTS)
def test_each_fact_round_trips(fact: Any) -> None:
    message = over_the_wire({"n": 1, **event_to_json(fact)})
    check_server_message(message)
    assert event_from_json(message) == fact


@given(st.from_type(ClientView))
def test_a_view_round_trips(view: ClientView) -> None:
    assert from_json(ClientView, over_the_wire({"view": to_json(view)})["view"]) == view


@given(FACTS, st.dictionaries(st.text(min_size=1).map(lambda name: f"x-{name}"), JSON, max_size=3))
def test_unknown_fields_are_ignored(fact: Any, more: dict[str, Any]) -> None:
    assert event_from_json({**event_to_json(fact), **more}) == fact


@given(st.sampled_from(sorted(EVENTS)), st.dictionaries(TEXTS, JSON), st.data())
def test_any_json_is_a_fact_or_an_error(name: str, message: dict[str, Any], data: st.DataObject) -> None:
    names = [field.name for field in dataclasses.fields(EVENTS[name])]
    known = data.draw(st.dictionaries(st.sampled_from(names or ["x"]), JSON))
    try:
        fact = event_from_json({**message, **known, "event": name})
    except InvalidMessageError:
        return
    assert isinstance(fact, EVENTS[name])


@given(JSON)
def test_any_event_name_is_known_unknown_or_an_error(name: Any) -> None:
    try:
        assert event_from_json({"event": name, "client": "a"}) is None or name in EVENTS
    except InvalidMessageError:
        assert not isinstance(name, str) or name in EVENTS


@given(st.binary(max_size=200) | JSON.map(lambda value: repr(value).encode("utf-8", "replace")))
def test_any_line_is_a_request_or_an_error(line: bytes) -> None:
    try:
        request = messages.read_request(messages.decode(line + b"\n"))
    except InvalidMessageError:
        return
    assert isinstance(request, Request)


def test_the_name_of_an_event() -> None:
    assert event_name(SessionClosed) == "session_closed"
    assert event_name(DialogueLine) == "dialogue_line"


@pytest.mark.parametrize(
    ("fact", "field", "wrong"),
    [
        (ClientScheduled("a", 1.0), "client", 1),
        (ClientScheduled("a", 1.0), "client", None),
        (ClientScheduled("a", 1.0), "due", "1"),
        (ClientScheduled("a", 1.0), "due", True),
        (ClientScheduled("a", 1.0), "due", float("inf")),
        (ClientScheduled("a", 1.0), "due", 10**400),
        (closed("a", result(FakeClock().now())), "session", "a"),
        (closed("a", result(FakeClock().now())), "session", "a-x"),
        (closed("a", result(FakeClock().now())), "session", "a-²"),
        (closed("a", result(FakeClock().now())), "session", "a-1234567890123"),
        (closed("a", result(FakeClock().now())), "session", ["a", 1]),
        (closed("a", result(FakeClock().now())), "result", []),
        (DialogueLine(SessionId("a", 1), FakeClock().now(), Direction.IN, "+OK"), "at", "2026-01-01T00:00:00"),
        (DialogueLine(SessionId("a", 1), FakeClock().now(), Direction.IN, "+OK"), "at", "yesterday"),
        (DialogueLine(SessionId("a", 1), FakeClock().now(), Direction.IN, "+OK"), "at", 5),
        (DialogueLine(SessionId("a", 1), FakeClock().now(), Direction.IN, "+OK"), "direction", {"a": 1}),
        (DialogueLine(SessionId("a", 1), FakeClock().now(), Direction.IN, "+OK"), "direction", "<"),
        (clients("a"), "clients", "a"),
        (clients("a"), "clients", [1]),
        (clients("a"), "infos", [{"id": "a"}]),
    ],
)
def test_a_wrong_type_is_an_error(fact: Any, field: str, wrong: object) -> None:
    with pytest.raises(InvalidMessageError):
        event_from_json({**event_to_json(fact), field: wrong})


def test_nesting_that_cannot_be_shown_is_an_error() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidMessageError, match="nested too deeply"):
        from_json(str, value)


@pytest.mark.parametrize("code", [True, 0.0, "0", 1, None, []])
def test_an_exit_code_is_one_of_its_numbers(code: object) -> None:
    message = event_to_json(closed("a", result(FakeClock().now())))
    message["result"]["code"] = code
    with pytest.raises(InvalidMessageError):
        event_from_json(message)
    message["result"]["code"] = 77
    fact = event_from_json(message)
    assert isinstance(fact, SessionClosed)
    assert fact.result.code is ExitCode.LOGIN


def test_a_missing_field_is_its_default_or_an_error() -> None:
    message = event_to_json(closed("a", result(FakeClock().now())))
    del message["result"]["kept"]
    assert isinstance(event_from_json(message), SessionClosed)
    del message["result"]["code"]
    with pytest.raises(InvalidMessageError, match="SessionResult lacks 'code'"):
        event_from_json(message)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b"1\n",
        b'"a"\n',
        b"{\n",
        b'{"id": NaN}\n',
        b'{"id": Infinity}\n',
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"a":' * 100_000 + b"\n",
        b'{"id": ' + b"9" * 5000 + b"}\n",
        b"\xef\xbb\xbf{}\n",
    ],
)
def test_a_line_without_an_object(line: bytes) -> None:
    with pytest.raises(InvalidMessageError, match="one JSON object in UTF-8"):
        messages.decode(line)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"id": 1},
        {"request": "status"},
        {"id": None, "request": "status"},
        {"id": True, "request": "status"},
        {"id": 1.5, "request": "status"},
        {"id": 1, "request": 5},
        {"id": 1, "request": "poll", "client": ["a"]},
        {"id": 1, "request": "poll", "all": "yes"},
        {"id": 1, "request": "history", "limit": "9"},
    ],
)
def test_invalid_requests(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessageError):
        messages.read_request(message)


def test_a_lone_surrogate_passes() -> None:
    note = Noted(FakeClock().now(), Level.INFO, None, "\udcff")
    assert event_from_json(over_the_wire(event_to_json(note))) == note


def test_an_unknown_event_is_skipped() -> None:
    assert event_from_json({"event": "coffee_made", "cups": 2}) is None


def test_only_values_of_facts_have_a_form() -> None:
    for value in (object(), b"x", {"a"}, 1j):
        with pytest.raises(TypeError, match="no form on the control socket"):
            to_json(value)


def test_hello_round_trips() -> None:
    hello = messages.hello("/etc/mail.xml", 7, FakeClock().now())
    assert messages.read_hello(over_the_wire(messages.hello_message(hello))) == hello
    for wrong in ({}, {"hello": 1}, {"hello": {"program": "x"}}):
        with pytest.raises(InvalidMessageError):
            messages.read_hello(wrong)
    assert from_json(Hello, to_json(hello)) == hello


# --- snapshots --------------------------------------------------------------------------------------------------------


def view_with(count: int) -> View:
    clock = FakeClock()
    view = View()
    ids = [f"c{number}" for number in range(count)]
    past = PastSession("c0", clock.now(), clock.now(), ExitCode.LOGIN, 0, 0, "no")
    delivered = MessageDelivered(SessionId("c0", 1), clock.now(), 1, "u", 10, "Mailbox=a", None, None, None)
    facts: list[Fact] = [
        clients(*ids),
        closed("c0", result(clock.now(), messages=1)),
        ClientScheduled("c0", 1300.0),
        delivered,
    ]
    view.apply(facts, clock.boottime(), clock.now())
    view.closed.append(("c0", past))
    return view


@pytest.mark.parametrize("count", [1, 60, 3000])
def test_a_snapshot_round_trips(count: int) -> None:
    clock, view = FakeClock(), view_with(count)
    line = DialogueLine(SessionId("c0", 1), clock.now(), Direction.OUT, "QUIT")
    snapshot = snapshots.take(view, [line], clock.boottime(), clock.now())

    async def encoded() -> list[bytes]:
        return await snapshots.encode(snapshot, '{{"snapshot":{}}}'.format, recent=True)

    lines = trio.run(encoded)
    assert all(len(each) <= messages.MAX_LINE for each in lines)
    assert (len(lines) > 1) is (count == 3000)
    parts = SnapshotParts()
    for each in lines[:-1]:
        check_server_message(messages.decode(each))
        parts.add(messages.decode(each)["part"])
    check_server_message(messages.decode(lines[-1]))
    restored, dialogue = snapshots.restore(parts.whole(messages.decode(lines[-1])["snapshot"]))
    assert restored.clients == view.clients
    assert (restored.mails, restored.notes, restored.closed) == (view.mails, view.notes, view.closed)
    assert (restored.messages_today, restored.octets_today) == (view.messages_today, view.octets_today)
    assert dialogue == [line]


@given(st.dictionaries(st.sampled_from(["clients", "mails", "log", "sessions", "dialogue", "totals", "time"]), JSON))
def test_any_snapshot_is_restored_or_an_error(changes: dict[str, Any]) -> None:
    clock = FakeClock()
    snapshot = snapshots.take(view_with(1), [], clock.boottime(), clock.now())

    async def encoded() -> list[bytes]:
        return await snapshots.encode(snapshot, str, recent=True)

    whole = messages.decode(trio.run(encoded)[-1])
    with contextlib.suppress(InvalidMessageError):
        snapshots.restore({**whole, **changes})
