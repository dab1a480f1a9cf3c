"""The protocol of the control socket: one JSON object a line. docs/control.md describes each message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tui_popretr import __version__
from tui_popretr.commands import MessageKey
from tui_popretr.control.codec import InvalidMessageError, Json, from_json, to_json

#: The version of the protocol. It grows only if a reader of the version before would misunderstand something.
PROTOCOL: Final = 1
PROGRAM: Final = "tui-popretr"
#: Octets of a line, its end included.
MAX_LINE: Final = 1024 * 1024
#: A snapshot with more clients than fit into a line is sent in parts of about this many octets.
PART: Final = 512 * 1024

RequestId = int | str
#: Characters of the id of a request, which its answer repeats.
LONGEST_ID: Final = 200
#: Characters of the text of an error, which may repeat a part of the request.
LONGEST_ERROR: Final = 1000

_encoder: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of the server. `config` is the real path of its configuration, `started` local time."""

    program: str
    version: str
    protocol: int
    config: str
    pid: int
    started: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `client` or `all` say which clients it concerns; `dialogue` is for watch, `limit` for history.

    `messages` are those of preview, fetch, delete and skip.
    """

    id: RequestId
    request: str
    client: str | None = None
    all: bool = False
    dialogue: bool = False
    limit: int = 100
    messages: tuple[MessageKey, ...] = ()


def hello(config: str, pid: int, started: datetime) -> Hello:
    """Return the hello of this program."""
    return Hello(PROGRAM, __version__, PROTOCOL, config, pid, started)


def encode(message: Json) -> bytes:
    """Return a message as a line."""
    return line(text(message))


def text(value: object) -> str:
    """Return a value as JSON."""
    return _encoder.encode(value)


def line(message: str) -> bytes:
    """Return a message that is JSON already as a line. Lone surrogates become escapes, which JSON has, too."""
    return message.encode("utf-8", "backslashreplace") + b"\n"


def decode(line: bytes) -> Json:
    """Return the object in a line. Raises InvalidMessageError, whatever the line holds."""
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidMessageError("a line must hold one JSON object in UTF-8") from None
    if not isinstance(message, dict):
        raise InvalidMessageError("a line must hold one JSON object in UTF-8")
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def read_hello(message: Mapping[str, Any]) -> Hello:
    """Return the server's hello. Raises InvalidMessageError."""
    return from_json(Hello, message.get("hello"))


def read_request(message: Mapping[str, Any]) -> Request:
    """Return a client's request. Raises InvalidMessageError."""
    request = from_json(Request, message)
    if isinstance(request.id, str) and len(request.id) > LONGEST_ID:
        raise InvalidMessageError(f"the id of a request has at most {LONGEST_ID} characters")
    return request


def hello_message(message: Hello) -> Json:
    """Return the hello as a message."""
    return {"hello": to_json(message)}


def answer(request: RequestId, result: object) -> Json:
    """Return the answer to a request that was accepted."""
    return {"id": request, "ok": result}


def answer_text(request: RequestId, result: str) -> str:
    """Return, as JSON, the answer with a result that is JSON already."""
    return f'{{"id":{text(request)},"ok":{result}}}'


def error(request: RequestId | None, text: str) -> Json:
    """Return the answer to a request that was refused; without an id, the server closes the connection after it."""
    return {"id": request, "error": text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 1]}…"}
