"""Dataclasses as JSON and back, for the control socket. It makes only the facts and the given classes.

The form of a value follows from its type: a dataclass is an object with its fields, a tuple a list, a time RFC 3339,
an exit code a number, another enum its value, and a session "CLIENT-RUN". A reader ignores fields that it does not
know, and takes the default of those that are missing, so that both sides may be of different versions.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar

from tui_popretr.facts import (
    ClientFact,
    Fact,
    ProgramFact,
    SessionFact,
    SessionId,
)

Json = dict[str, Any]
#: Types that JSON has. Most values are of one of them, so they have a fast path.
_PLAIN: Final = frozenset({str, int, float, bool, types.NoneType})
_T = TypeVar("_T")


class InvalidMessageError(ValueError):
    """A message of the other side does not have the documented form."""


def event_name(kind: type[Any]) -> str:
    """Return the name of a fact as an event: SessionClosed is "session_closed"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


#: The facts that are events, by name.
EVENTS: Final[Mapping[str, type[Any]]] = types.MappingProxyType(
    {event_name(kind): kind for union in (ClientFact, SessionFact, ProgramFact) for kind in typing.get_args(union)}
)

_NAMES: Final = {kind: name for name, kind in EVENTS.items()}


def event_to_json(fact: Fact) -> Json:
    """Return a fact as an event, without its number."""
    return {"event": _NAMES[type(fact)], **to_json(fact)}


def event_from_json(message: Mapping[str, Any]) -> Fact | None:
    """Return the fact of an event; None if this version does not know it. Raises InvalidMessageError."""
    name = message.get("event")
    if not isinstance(name, str):
        raise InvalidMessageError(f"an event needs a name, not {_shown(name)}")
    kind = EVENTS.get(name)
    return None if kind is None else from_json(kind, message)


def known_event(message: Mapping[str, Any]) -> Fact | None:
    """Return the fact of an event; None for any other message, and for an event that only a later version can read."""
    try:
        return event_from_json(message) if "event" in message else None
    except InvalidMessageError:
        return None


def to_json(value: object) -> Any:
    """Return a dataclass, or a value of one's fields, as what `json` can write."""
    kind: Any = type(value)
    return value if kind in _PLAIN else _writer(kind)(value)


def from_json(kind: type[_T], value: object) -> _T:
    """Return the dataclass that to_json() was given. Raises InvalidMessageError."""
    wanted: Any = kind
    read: _T = _reader(wanted)(value)
    return read


# --- writing ----------------------------------------------------------------------------------------------------------


@cache
def _writer(kind: type[Any]) -> Callable[[Any], Any]:
    if issubclass(kind, SessionId):
        return str
    if issubclass(kind, datetime):
        return datetime.isoformat
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, tuple | list):
        return lambda value: [to_json(each) for each in value]
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
        return lambda value: {name: to_json(getattr(value, name)) for name in names}
    if issubclass(kind, str | int | float | bool | types.NoneType):
        return lambda value: value
    raise TypeError(f"{kind.__name__} has no form on the control socket")


# --- reading ----------------------------------------------------------------------------------------------------------


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if kind is SessionId:
        return _read_session
    if kind is datetime:
        return _read_time
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_reader(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_reader(kind)
    if kind is float:
        return _read_number
    if kind in (str, int, bool, types.NoneType):
        return _plain_reader(kind)
    raise TypeError(f"{kind} has no form on the control socket")


def _union_reader(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """A union of a dataclass with another, or with None: the first that fits."""
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except InvalidMessageError:
                continue
        raise InvalidMessageError(f"{_shown(value)} is not one of {', '.join(map(_name, kinds))}")

    return read


def _tuple_reader(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        one = _reader(kinds[0])
        return lambda value: tuple([one(each) for each in _list(value)])
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any) -> Any:
        if len(_list(value)) != len(readers):
            raise InvalidMessageError(f"a list of {len(readers)} is expected, not {_shown(value)}")
        return tuple(reader(each) for reader, each in zip(readers, value, strict=True))

    return read


def _enum_reader(kind: type[Enum]) -> Callable[[Any], Any]:
    members = {each.value: each for each in kind}
    form = type(next(iter(members)))

    def read(value: Any) -> Any:
        if type(value) is not form or value not in members:
            raise InvalidMessageError(f"{_shown(value)} is not a valid {_name(kind)}")
        return members[value]

    return read


def _dataclass_reader(kind: type[Any]) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers: list[tuple[Field[Any], Callable[[Any], Any]]] = [
        (each, _reader(hints[each.name])) for each in fields(kind)
    ]

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise InvalidMessageError(f"an object is expected for {_name(kind)}, not {_shown(value)}")
        known: dict[str, Any] = {}
        for field, reader in readers:
            if field.name in value:
                known[field.name] = reader(value[field.name])
            elif field.default is MISSING and field.default_factory is MISSING:
                raise InvalidMessageError(f"{_name(kind)} lacks {field.name!r}")
        return kind(**known)

    return read


def _plain_reader(kind: type[Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise InvalidMessageError(f"{_name(kind)} is expected, not {_shown(value)}")
        return value

    return read


def _read_number(value: Any) -> float:
    if type(value) not in (int, float):
        raise InvalidMessageError(f"a number is expected, not {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):  # JSON has no infinity, but 1e999 is read as one
        raise InvalidMessageError("a number is too large")
    return number


def _read_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidMessageError(f"a time (RFC 3339) is expected, not {_shown(value)}") from None
    if time.tzinfo is None:
        raise InvalidMessageError(f"a time zone is missing in {_shown(value)}")
    return time


def _read_session(value: Any) -> SessionId:
    client, separator, run = value.rpartition("-") if isinstance(value, str) else ("", "", "")
    if not separator or not run.isascii() or not run.isdigit() or len(run) > 12:
        raise InvalidMessageError(f"a session (CLIENT-NUMBER) is expected, not {_shown(value)}")
    return SessionId(client, int(run))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidMessageError(f"a list is expected, not {_shown(value)}")
    return value


def _name(kind: Any) -> str:
    return "null" if kind is types.NoneType else getattr(kind, "__name__", str(kind))


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:  # json reads slightly deeper nesting than repr() writes
        return "a value that is nested too deeply"
    return text if len(text) <= 60 else f"{text[:57]}..."
