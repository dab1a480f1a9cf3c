"""Writes docs/control.schema.json, the JSON Schema of the control socket, from the dataclasses of its messages.

Run as a module from the project's folder: python -m scripts.control_schema
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tui_popretr.answers import Answer
from tui_popretr.control.codec import EVENTS
from tui_popretr.control.messages import Hello, Request
from tui_popretr.control.snapshots import Totals
from tui_popretr.facts import PastSession, SessionId, SessionResult
from tui_popretr.status import ClientState, ClientView

SCHEMA: Final = Path(__file__).parents[1] / "docs" / "control.schema.json"
#: The commands that name clients.
_FOR_CLIENTS: Final = ("poll", "pause", "resume", "stop")
#: The requests that name messages.
_FOR_MESSAGES: Final = ("preview", "fetch", "delete", "skip")
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_TIME: Final = {"type": "string", "format": "date-time"}


class _Definitions:
    """The definitions that the messages refer to; a dataclass becomes one when it is first used."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}

    def of(self, kind: Any) -> Any:
        """Return the schema of a type of a field."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            return {"anyOf": [self.of(each) for each in arguments]}
        if origin is tuple and arguments[1:] == (Ellipsis,):
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is tuple:
            items = [self.of(each) for each in arguments]
            return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
        if kind is SessionId:
            return {"type": "string", "pattern": "-[0-9]+$"}
        if kind is datetime:
            return _TIME
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [each.value for each in kind]}
        if is_dataclass(kind):
            return self.reference(typing.cast("type[Any]", kind))
        names = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
        return {"type": names[kind]}

    def reference(self, kind: type[Any]) -> Any:
        """Return a reference to a dataclass's definition."""
        if kind.__name__ not in self.all:
            self.all[kind.__name__] = {}  # it may refer to itself
            self.all[kind.__name__] = self.dataclass(kind)
        return {"$ref": f"#/$defs/{kind.__name__}"}

    def dataclass(self, kind: type[Any]) -> dict[str, Any]:
        """Return the schema of a dataclass."""
        hints = typing.get_type_hints(kind)
        required = [each.name for each in fields(kind) if each.default is each.default_factory is MISSING]
        return _object({each.name: self.of(hints[each.name]) for each in fields(kind)}, required)


def schema() -> dict[str, Any]:
    """Return the schema of every line, of the server and of the client."""
    known = _Definitions()
    known.all |= {
        "Progress": _object(
            {
                "session": known.of(SessionId),
                "messages": _NUMBER,
                "octets": _NUMBER,
                "to_retrieve": _NUMBER,
                "to_retrieve_octets": _NUMBER,
            }
        ),
        "Last": _object(
            {
                "result": _TEXT,
                "code": _NUMBER,
                "error": _TEXT,
                "started": _TIME,
                "ended": _TIME,
                "messages": _NUMBER,
                "octets": _NUMBER,
            }
        ),
    }
    client = {
        "id": _TEXT,
        "server": _TEXT,
        "recip": _TEXT,
        "state": known.of(ClientState),
        "due": known.of(float | None),
        "next_run": known.of(datetime | None),
        "progress": _or_null("Progress"),
        "last": _or_null("Last"),
        "messages": _NUMBER,
        "octets": _NUMBER,
        "kept": _NUMBER,
        "sessions": {"type": "object", "additionalProperties": _NUMBER},
        "certificate_expires": known.of(datetime | None),
        "failures_in_a_row": _NUMBER,
        "last_success": known.of(datetime | None),
        "last_message": known.of(datetime | None),
    }
    known.all["Client"] = _object({**client, "view": known.of(ClientView)}, list(client))
    event = {"type": "object", "required": ["event"]}
    lists = {
        "clients": _list({"$ref": "#/$defs/Client"}),
        "dialogue": _list(event),
        "mails": _list({"type": "object", "required": ["at", "event"]}),
        "log": _list(event),
        "sessions": _list(_object({"client": _TEXT, "result": known.of(SessionResult | PastSession)})),
    }
    whole = {
        "version": _TEXT,
        "time": _TIME,
        "boottime": {"type": "number"},
        "totals": known.of(Totals),
        "parts": _NUMBER,
        "clients": lists["clients"],
    }
    known.all["Snapshot"] = _object({**whole, **lists}, list(whole))
    sessions = _object({"sessions": _list(known.of(PastSession))})
    answers = [known.of(kind) for kind in typing.get_args(Answer)]
    id_ = {"type": ["integer", "string"]}
    server: dict[str, Any] = {
        "Greeting": _object({"hello": known.of(Hello)}),
        "Answer": _object({"id": id_, "ok": {"anyOf": [_TEXT, {"$ref": "#/$defs/Snapshot"}, sessions, *answers]}}),
        "Refusal": _object({"id": {"type": ["integer", "string", "null"]}, "error": _TEXT}),
        "Part": _object({"part": _object(lists, [])}),
        "Gap": _object({"gap": {"type": "integer", "minimum": 0}}),
        "SnapshotAfterGap": _object({"snapshot": {"$ref": "#/$defs/Snapshot"}}),
    }
    for name, kind in EVENTS.items():
        known.reference(kind)
        numbered = {"n": {"type": "integer", "minimum": 1}, "event": {"const": name}}
        server[f"{kind.__name__}Event"] = {"allOf": [_object(numbered), {"$ref": f"#/$defs/{kind.__name__}"}]}
    requests = {**known.dataclass(Request)["properties"], "id": id_}
    commands = [
        {"properties": {"request": {"enum": list(_FOR_CLIENTS)}}, "anyOf": [{"required": ["client"]}, _all_clients()]},
        {"properties": {"request": {"const": "history"}}, "required": ["client"]},
        {"properties": {"request": {"const": "waiting"}}, "required": ["client"]},
        {"properties": {"request": {"enum": list(_FOR_MESSAGES)}}, "required": ["client", "messages"]},
        {"properties": {"request": {"enum": ["status", "watch", "statistics", "reload", "shutdown"]}}},
    ]
    known.all["Request"] = {**_object(requests, ["id", "request"]), "anyOf": commands}
    known.all |= server
    known.all["ServerMessage"] = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in server]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tui-popretr control protocol 1",
        "description": "One line of the control socket: a message of the server, or a request. See control.md.",
        "anyOf": [{"$ref": "#/$defs/ServerMessage"}, {"$ref": "#/$defs/Request"}],
        "$defs": known.all,
    }


def _all_clients() -> dict[str, Any]:
    return {"properties": {"all": {"const": True}}, "required": ["all"]}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    wanted = list(properties) if required is None else required
    return {"type": "object", "properties": properties, **({"required": wanted} if wanted else {})}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _or_null(name: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}


def text() -> str:
    """Return the file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
