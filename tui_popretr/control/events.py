"""Events as lines, encoded once for all connections. Pure.

A busy fleet has more than 10,000 events a second, and each goes to up to 32 connections. So the work for each event
of each connection must be minimal.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from json.encoder import encode_basestring
from typing import Any, Final

from tui_popretr.control import messages
from tui_popretr.control.codec import event_name, to_json
from tui_popretr.facts import DialogueLine, Direction, Fact, SessionId

_LINE: Final = event_name(DialogueLine)
_DIRECTIONS: Final = {each: f'"direction":"{each.value}","text":' for each in Direction}
#: How values of the most frequent types are written.
_WRITERS: Final[dict[type[Any], Callable[[Any], str]]] = {
    str: encode_basestring,
    int: repr,
    bool: lambda value: "true" if value else "false",
    types.NoneType: lambda _: "null",
    SessionId: lambda value: encode_basestring(str(value)),
    datetime: lambda value: f'"{value.isoformat()}"',
}


class Batch:
    """Events of the same moment. numbered() gives them the numbers of a connection."""

    def __init__(self, events: Sequence[str]) -> None:
        """`events` are their JSON objects, not empty, without line ends."""
        text = "\n".join(("", *events)).replace("%", "%%").replace("\n{", '\n{"n":%d,') + "\n"
        self._template = text[1:].encode("utf-8", "backslashreplace")
        self._first = 0  # the number of the first event in _lines
        self._lines = b""
        self.count = len(events)
        self.octets = len(self._template)

    def numbered(self, first: int) -> bytes:
        """Return the lines of the events, which are numbered from `first`, at least 1."""
        if self._first != first:  # often several connections have the same numbers
            self._first, self._lines = first, self._template % tuple(range(first, first + self.count))
        return self._lines


def fact_text(fact: Fact) -> str:
    """Return a fact as an event's JSON object: event_to_json() as text, in a third of the time."""
    kind: Any = type(fact)
    begin, fields = _shape(kind)
    texts = [begin]
    for label, name in fields:
        value = getattr(fact, name)
        write = _WRITERS.get(type(value))
        texts.append(label + (messages.text(to_json(value)) if write is None else write(value)))
    return "".join(texts) + "}"


@cache
def _shape(kind: type[Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return the begin of an event's object, and the label and the name of each field."""
    names = [field.name for field in dataclasses.fields(kind)]
    return f'{{"event":"{event_name(kind)}"', [(f',"{name}":', name) for name in names]


def line_texts(lines: Iterable[DialogueLine]) -> list[str]:
    """Return lines of dialogue as events' JSON objects. Ten times faster than fact_text(): most events are these."""
    texts: list[str] = []
    session: SessionId | None = None
    at: datetime | None = None
    for line in lines:
        if line.session is not session or line.at is not at:
            session, at = line.session, line.at
            name, time = encode_basestring(str(session)), to_json(at)
            begin = f'{{"event":"{_LINE}","session":{name},"at":"{time}",'
        texts.append(f"{begin}{_DIRECTIONS[line.direction]}{encode_basestring(line.text)}{_end(line)}")
    return texts


def _end(line: DialogueLine) -> str:
    """Return the end of a line's object. A field that is null is left out."""
    if line.exchange is None:
        return "}"
    milliseconds = "" if line.milliseconds is None else f',"milliseconds":{line.milliseconds}'
    octets = "" if line.octets is None else f',"octets":{line.octets}'
    return f',"exchange":{line.exchange}{milliseconds}{octets}}}'
