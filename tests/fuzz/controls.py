"""Target: the control socket's lines, both ways; any octets are messages or an InvalidMessageError."""

from __future__ import annotations

import json
from typing import Final

from tests.fuzz.material import Material, material
from tui_popretr.control import messages, snapshots
from tui_popretr.control.codec import InvalidMessageError, Json, event_from_json, event_to_json
from tui_popretr.control.lines import LineBuffer
from tui_popretr.control.messages import MAX_LINE
from tui_popretr.control.snapshots import SnapshotParts
from tui_popretr.facts import Fact

_NOW: Final = "2026-01-01T00:00:00Z"
_RESULT: Final = dict.fromkeys(("messages", "octets", "deleted", "skipped", "failed"), 1) | {
    "started": _NOW,
    "ended": _NOW,
}
_TOTALS: Final = dict.fromkeys(("clients", "running", "failed", "messages_today", "octets_today"), 0)


def _seed(*sent: object) -> bytes:
    return material(b"".join(json.dumps(each).encode() + b"\n" for each in sent), [2])


SEEDS: Final = [
    _seed({"id": 1, "request": "poll", "client": "a"}, {"id": "x", "request": "watch", "dialogue": True}),
    _seed({"hello": {"program": "p", "version": "1", "protocol": 1, "config": "/c", "pid": 1, "started": _NOW}}),
    _seed({"n": 1, "event": "client_scheduled", "client": "a", "due": 1.5}, {"gap": 3}),
    _seed({"event": "session_closed", "session": "a-1", "result": {"code": 77, "error": "n", "advice": "", **_RESULT}}),
    _seed({"part": {"clients": []}}, {"snapshot": {"time": _NOW, "boottime": 1, "totals": _TOTALS, "log": []}}),
]
WORDS: Final = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"null", b"true", b"1e999", b"NaN", b"-1", b"9" * 5000, b"\xff",
    b"\\udcff", b'"event":', b'"session":"a-1"', b'"id":1', b'"request":"status"', b"[" * 3000, b"x" * (MAX_LINE + 1),
    b'"2026-01-01T00:00:00Z"', b'"dialogue_line"', b'"clients":[{}]', b'"clients_changed"',
]  # fmt: skip


def one_input(data: bytes) -> None:
    """Divide the input into lines, in pieces of some size, and read each as every kind of message."""
    given = Material(data)
    size = given.choice((1, 7, 4096, 65536))
    octets = given.rest()
    if size == 1:
        octets = octets[:2000]
    buffer, parts = LineBuffer(), SnapshotParts()
    try:
        for at in range(0, len(octets), size):
            buffer.add(octets[at : at + size])
            while (line := buffer.next()) is not None:
                assert len(line) <= MAX_LINE
                assert line.count(b"\n") == 1
                assert line.endswith(b"\n")
                _read(line, parts)
        buffer.end()
    except InvalidMessageError as problem:
        _check(problem)


def _check(problem: InvalidMessageError) -> None:
    assert len(str(problem)) < 300


def _read(line: bytes, parts: SnapshotParts) -> None:
    message = messages.decode(line)
    assert messages.decode(messages.encode(message)) == message
    for read in (messages.read_request, messages.read_hello, _read_event):
        try:
            read(message)
        except InvalidMessageError as problem:
            _check(problem)
    if "part" in message:
        parts.add(message["part"])
    elif isinstance(message.get("snapshot"), dict):
        snapshots.restore(parts.whole(message["snapshot"]))


def _read_event(message: Json) -> Fact | None:
    fact = event_from_json(message)
    if fact is not None:
        again = event_to_json(fact)
        assert event_from_json(json.loads(json.dumps(again))) == fact
    return fact
