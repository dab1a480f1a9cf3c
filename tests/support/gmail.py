"""A Gmail for tests, without sockets: the methods of Google's API that import and search mail, and faults.

Written from Google's published description: the reference of the REST API and its discovery document (users.messages
import, list, get; users.labels list, create; users.getProfile; media upload; the guide to errors). It is strict: an
unknown parameter, a scope that is missing, a label that does not exist, or a body that is not what its type says is
refused. gmail_serving.py puts it behind a port.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.support.passwords import MARK
from tui_popretr.config.reader import load
from tui_popretr.oauth.store import TokenStore
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret

ACCOUNT: Final = "me@gmail.example"
TOKEN: Final = f"{MARK}.access-1"
_AUTH: Final = "https://www.googleapis.com/auth/"
INSERT, LABELS, READONLY = f"{_AUTH}gmail.insert", f"{_AUTH}gmail.labels", f"{_AUTH}gmail.readonly"
SCOPES: Final = (INSERT, LABELS, READONLY, "openid", "email")
#: Octets that Gmail adds to a message.
ADDED: Final = 120

_SYSTEM: Final = ("INBOX", "UNREAD", "STARRED", "IMPORTANT", "SENT", "DRAFT", "SPAM", "TRASH", "CATEGORY_PERSONAL")
_ANY: Final = frozenset({"alt", "fields", "key", "prettyPrint", "quotaUser", "uploadType", "upload_protocol"})
_IMPORT: Final = frozenset({"internalDateSource", "neverMarkSpam", "processForCalendar", "deleted"})
_LIST: Final = frozenset({"maxResults", "pageToken", "q", "labelIds", "includeSpamTrash"})
_GET: Final = frozenset({"format", "metadataHeaders"})
_USER: Final = "/gmail/v1/users/me"
IMPORT_PATH: Final = f"/upload{_USER}/messages/import"


#: An <oauth> for a token that is never renewed.
NO_PROVIDER: Final = (
    '<oauth provider="custom" clientid="id"><authurl>http://127.0.0.1:1/</authurl>'
    "<tokenurl>http://127.0.0.1:1/</tokenurl></oauth>"
)


def leave_token(path: str, client: int = 0) -> None:
    """Leave TOKEN behind, as `login` does, for a client of a configuration with NO_PROVIDER."""
    settings = load(path).settings
    assert settings is not None
    (oauth,) = settings.clients[client].oauths
    TokenStore(oauth.folder).save(oauth.key, Tokens(Secret(TOKEN), None, None, SCOPES, ACCOUNT, 1000.0))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how it is sent. `chunked`: without Content-Length. `raw`: octets instead of an answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json; charset=UTF-8"),)
    chunked: bool = False
    raw: bytes | None = None

    @classmethod
    def json(cls, fields: Mapping[str, Any], status: int = 200, **more: Any) -> Answer:
        return cls(status, json.dumps(fields).encode(), **more)

    @classmethod
    def error(cls, status: int, reason: str, message: str = "", *headers: tuple[str, str]) -> Answer:
        """An error as Google describes it."""
        message = message or reason
        errors = [{"message": message, "domain": "global", "reason": reason}]
        named = (("Content-Type", "application/json; charset=UTF-8"), *headers)
        return cls.json({"error": {"code": status, "message": message, "errors": errors}}, status, headers=named)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request instead of its work.

    `answer`: None: the connection ends. `early`: before the body was read. `works`: it is done nevertheless. `silent`:
    nothing more is sent, and the connection stays. `closes`: the connection ends behind the answer.
    """

    answer: Answer | None = None
    early: bool = False
    works: bool = False
    silent: bool = False
    closes: bool = False


@dataclass(slots=True)
class Imported:
    """A message in the account."""

    id: str
    raw: bytes
    labels: list[str]
    query: dict[str, str]
    at: float

    @property
    def message_id(self) -> str:
        found = message_from_bytes(self.raw).get("Message-ID", "")
        return found.strip().removeprefix("<").removesuffix(">")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has arrived whole."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = field(repr=False)


class _Refused(Exception):
    def __init__(self, status: int, reason: str, message: str = "") -> None:
        super().__init__(reason)
        self.answer = Answer.error(status, reason, message)


class FakeGmail:
    """One account. All attributes can be changed while it runs. `clock` is in seconds."""

    def __init__(self, account: str = ACCOUNT, *, clock: Callable[[], float] = time.time) -> None:
        self.account = account
        self._clock = clock
        self._lock = threading.RLock()
        #: the scopes of each access token
        self.tokens: dict[str, tuple[str, ...]] = {TOKEN: SCOPES}
        #: whether an access token is good, where it is not in `tokens`
        self.knows: Callable[[str], tuple[str, ...] | None] = lambda _: None
        self.labels: dict[str, str] = {name: name for name in _SYSTEM}
        self.messages: list[Imported] = []
        #: seconds until the search finds a message
        self.lag = 0.0
        #: for the next requests of a method and path, one each
        self.faults: dict[tuple[str, str], deque[Fault]] = {}
        #: whether a message without a header is refused
        self.needs_header = True
        #: for all imports
        self.always: Fault | None = None
        self.asked: list[Asked] = []
        self.connections = 0
        self._number = 0

    def fail(self, *faults: Fault, path: str = IMPORT_PATH, method: str = "POST") -> None:
        """Let the next requests fail."""
        self.faults.setdefault((method, path), deque()).extend(faults)

    def fault(self, method: str, target: str) -> Fault | None:
        """Return what happens to a request whose head has arrived; None: nothing special."""
        path = urlsplit(target).path
        waiting = self.faults.get((method, path))
        if waiting:
            return waiting.popleft()
        return self.always if path == IMPORT_PATH else None

    def count(self, method: str, path: str) -> int:
        return sum(each.method == method and each.path == path for each in self.asked)

    @property
    def raw(self) -> list[bytes]:
        """The messages in the account, as they arrived."""
        return [each.raw for each in self.messages]

    # --- requests -----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a whole request. Names of headers are in lower case."""
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        with self._lock:
            self.asked.append(Asked(method, parts.path, query, dict(headers), body))
            try:
                scopes = self._scopes(headers)
                return self._do(method, parts.path, query, headers, body, scopes)
            except _Refused as refused:
                return refused.answer

    def _scopes(self, headers: Mapping[str, str]) -> tuple[str, ...]:
        kind, _, token = headers.get("authorization", "").partition(" ")
        scopes = self.tokens.get(token) or self.knows(token)
        if kind != "Bearer" or scopes is None:
            raise _Refused(401, "authError", "Invalid Credentials")
        return scopes

    def _do(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
        scopes: tuple[str, ...],
    ) -> Answer:
        def need(*wanted: str, known: frozenset[str] = frozenset()) -> None:
            if not set(wanted) & {*scopes}:
                raise _Refused(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
            if unknown := set(query) - known - _ANY:
                raise _Refused(400, "invalidArgument", f"Invalid JSON payload received. Unknown name {unknown}")

        path = path.replace(f"/{self.account}/", "/me/", 1)
        match method, path:
            case "POST", "/upload/gmail/v1/users/me/messages/import":
                need(INSERT, known=_IMPORT)
                return self._import(query, headers, body)
            case "GET", "/gmail/v1/users/me/labels":
                need(LABELS, READONLY)
                return Answer.json({"labels": [self._label(name) for name in self.labels]})
            case "POST", "/gmail/v1/users/me/labels":
                need(LABELS)
                return self._make_label(body)
            case "GET", "/gmail/v1/users/me/messages":
                need(READONLY, known=_LIST)
                return self._search(query)
            case "GET", "/gmail/v1/users/me/profile":
                need(READONLY)
                return Answer.json({"emailAddress": self.account, "messagesTotal": len(self.messages)})
        if method == "GET" and path.startswith(f"{_USER}/messages/"):
            need(READONLY, known=_GET)
            return self._get(path.rpartition("/")[2], query)
        raise _Refused(404, "notFound", "Requested entity was not found.")

    # --- labels -------------------------------------------------------------------------------------------------------

    def _label(self, name: str) -> dict[str, str]:
        identifier = self.labels[name]
        return {"id": identifier, "name": name, "type": "system" if identifier in _SYSTEM else "user"}

    def _make_label(self, body: bytes) -> Answer:
        name = json.loads(body)["name"]
        if name.casefold() in {each.casefold() for each in self.labels}:
            raise _Refused(409, "aborted", "Label name exists or conflicts")
        if name.upper() in _SYSTEM:
            raise _Refused(400, "invalidArgument", "Invalid label name")
        self.labels[name] = f"Label_{len(self.labels)}"
        return Answer.json(self._label(name))

    # --- messages -----------------------------------------------------------------------------------------------------

    def _import(self, query: dict[str, list[str]], headers: Mapping[str, str], body: bytes) -> Answer:
        if query.get("uploadType") != ["multipart"]:
            raise _Refused(400, "badRequest", "uploadType must be multipart here")
        for name, words in (
            ("internalDateSource", ("dateHeader", "receivedTime")),
            ("neverMarkSpam", ("true", "false")),
            ("processForCalendar", ("true", "false")),
        ):
            if (found := query.get(name, [words[0]])[0]) not in words:
                raise _Refused(400, "invalidArgument", f"Invalid value at '{name}': {found}")
        description, raw = _parts(headers.get("content-type", ""), body)
        wanted = description.get("labelIds", [])
        for each in wanted:
            if each not in self.labels.values() or each in ("SENT", "DRAFT"):
                raise _Refused(400, "invalidArgument", f"Invalid label: {each}")
        if self.needs_header and b":" not in raw.partition(b"\r\n")[0]:
            raise _Refused(400, "invalidArgument", "Invalid message: no header")
        plain = {name: values[0] for name, values in query.items()}
        labels = list(wanted)
        if b"\nX-Looks-Like: spam" in raw and plain.get("neverMarkSpam") != "true":
            labels = [each for each in labels if each != "INBOX"] + ["SPAM"]
        message = self.add(raw, labels, plain)
        return Answer.json({"id": message.id, "threadId": message.id, "labelIds": labels})

    def add(self, raw: bytes, labels: Sequence[str] = (), query: Mapping[str, str] = MappingProxyType({})) -> Imported:
        """Put a message into the account, however it came."""
        self._number += 1
        message = Imported(f"19e{self._number:013x}", raw, [*labels], {**query}, self._clock())
        self.messages.append(message)
        return message

    def _search(self, query: dict[str, list[str]]) -> Answer:
        # Spaces join words by AND, and quotes and parentheses group them. Of the operators, one is known here.
        words = re.fullmatch(r'rfc822msgid:([^\s"(){}]+)', query.get("q", [""])[0])
        if words is None:
            raise _Refused(400, "invalidArgument", "this search is not one that the tests expect")
        hidden = query.get("includeSpamTrash") != ["true"]
        found = [
            {"id": each.id, "threadId": each.id}
            for each in reversed(self.messages)
            if each.message_id == words[1]
            and self._clock() >= each.at + self.lag
            and not (hidden and {"SPAM", "TRASH"} & {*each.labels})
        ]
        return Answer.json(
            {"messages": found, "resultSizeEstimate": len(found)} if found else {"resultSizeEstimate": 0}
        )

    def _get(self, identifier: str, query: dict[str, list[str]]) -> Answer:
        message = next((each for each in self.messages if each.id == identifier), None)
        if message is None:
            raise _Refused(404, "notFound", "Requested entity was not found.")
        if query.get("format") != ["metadata"]:
            raise _Refused(400, "invalidArgument", "only format=metadata is known here")
        wanted = {each.lower() for each in query.get("metadataHeaders", [])}
        named = [
            {"name": name, "value": str(value)}
            for name, value in message_from_bytes(message.raw).items()
            if name.lower() in wanted
        ]
        size = len(message.raw) + ADDED
        return Answer.json(
            {"id": identifier, "labelIds": message.labels, "sizeEstimate": size, "payload": {"headers": named}}
        )


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the description and the message of a multipart/related body (RFC 2387)."""
    found = re.fullmatch(r'multipart/related; ?boundary="?([A-Za-z0-9\'()+_,./:=? -]{1,70})"?', content_type)
    if found is None:
        raise _Refused(400, "badRequest", f"Bad content type {content_type}")
    line = b"--" + found[1].encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + line)
    if len(pieces) != 4 or pieces[0] or pieces[3] not in (b"--", b"--\r\n"):
        raise _Refused(400, "badContent", "Multipart body is not well-formed")
    parts = []
    for piece, kind in ((pieces[1], "application/json"), (pieces[2], "message/rfc822")):
        head, separator, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not separator or not head.decode().lower().startswith(f"content-type: {kind}"):
            raise _Refused(400, "badContent", f"a part of type {kind} was expected")
        parts.append(content)
    return json.loads(parts[0]), parts[1]
