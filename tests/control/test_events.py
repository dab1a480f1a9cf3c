"""Events as lines: what is encoded once is the same as each event by itself, with the numbers of each connection."""

from __future__ import annotations

import json
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.control.test_codec import FACTS, TEXTS
from tests.support.clock import FakeClock
from tui_popretr.control.codec import event_to_json
from tui_popretr.control.events import Batch, fact_text, line_texts
from tui_popretr.facts import Dialogue, Direction, Part, Said, SessionId

PARTS = st.builds(Part, st.none() | st.integers(0, 9), st.none() | st.floats(0, 10**9), st.none() | st.integers(0))
LINES = st.lists(st.tuples(st.tuples(st.sampled_from(Direction), TEXTS), PARTS), max_size=3)


def _dialogue(session: SessionId, at: datetime, lines: list[tuple[Said, Part]]) -> Dialogue:
    return Dialogue(session, at, [said for said, _ in lines], [part for _, part in lines])


SESSIONS = st.builds(SessionId, TEXTS, st.integers(0, 9))
PIECES = st.lists(st.builds(_dialogue, SESSIONS, st.from_type(datetime), LINES), max_size=4)


@given(PIECES)
def test_lines_are_as_other_events(pieces: list[Dialogue]) -> None:
    lines = [line for piece in pieces for line in piece.lines()]
    events = [event_to_json(line) for line in lines]
    for event in events:
        for name in Part._fields:
            if event[name] is None or event.get("exchange") is None:
                del event[name]
    assert [json.loads(text) for text in line_texts(lines)] == events


@given(st.lists(FACTS, min_size=1, max_size=5), st.lists(st.integers(1, 10**6), min_size=1, max_size=4))
def test_each_connection_has_its_numbers(facts: list[object], firsts: list[int]) -> None:
    batch = Batch([fact_text(fact) for fact in facts])  # type: ignore[arg-type]
    assert batch.count == len(facts)
    for first in firsts:
        lines = batch.numbered(first).split(b"\n")
        assert lines.pop() == b""
        expected = [{"n": first + at, **event_to_json(fact)} for at, fact in enumerate(facts)]  # type: ignore[arg-type]
        assert [json.loads(line) for line in lines] == expected


def test_texts_that_look_like_numbers() -> None:
    texts = ['100% of %d, %s and "%%"', '{"n":1,\n{', "\udcff%\udc80"]
    lines = Dialogue(SessionId("a%d", 1), FakeClock().now(), [(Direction.IN, text) for text in texts]).lines()
    numbered = Batch(line_texts(lines)).numbered(7)
    read = [json.loads(line) for line in numbered.splitlines()]
    assert [(each["n"], each["session"], each["text"]) for each in read] == [
        (7 + at, "a%d-1", text) for at, text in enumerate(texts)
    ]
