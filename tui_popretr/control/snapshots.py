"""Snapshots: all that is known of the clients at one moment, as messages of the control socket.

`status` gets what people and scripts want to know. `watch` also gets what a dashboard shows: the view of each client,
and the latest lines of dialogue, messages, lines of the log and past sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import trio

from tui_popretr import __version__
from tui_popretr.control import messages
from tui_popretr.control.codec import InvalidMessageError, Json, event_from_json, event_to_json, from_json, to_json
from tui_popretr.control.events import fact_text, line_texts
from tui_popretr.control.messages import PART
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    DialogueLine,
    MessageDelivered,
    MessageSkipped,
    Noted,
    PastSession,
    SessionId,
    SessionResult,
)
from tui_popretr.status import ClientView, View
from tui_popretr.wording import session_summary

#: Clients that are encoded before other tasks get their turn.
_TURN: Final = 50


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at `wall` (local time) and `boottime` (seconds)."""

    wall: datetime
    boottime: float
    clients: tuple[ClientView, ...]
    totals: Totals
    dialogue: tuple[DialogueLine, ...] = ()
    mails: tuple[tuple[datetime, MessageDelivered | MessageSkipped], ...] = ()
    notes: tuple[Noted, ...] = ()
    closed: tuple[tuple[str, SessionResult | PastSession], ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Clients in all, those with a session, those whose last session failed; what was delivered today."""

    clients: int
    running: int
    failed: int
    messages_today: int
    octets_today: int


def take(view: View, dialogue: Iterable[DialogueLine], boottime: float, wall: datetime) -> Snapshot:
    """Return a snapshot of a view. It does not change with the view."""
    totals = Totals(len(view.clients), view.running, view.failed, view.messages_today, view.octets_today)
    return Snapshot(
        wall,
        boottime,
        tuple(view.clients.values()),
        totals,
        tuple(dialogue),
        tuple(view.mails),
        tuple(view.notes),
        tuple(view.closed),
    )


async def encode(snapshot: Snapshot, wrap: Callable[[str], str], *, recent: bool) -> list[bytes]:
    """Return a snapshot as lines of at most MAX_LINE octets: the last is wrap(snapshot), parts may come before it.

    `recent`: with what only a dashboard needs.
    """
    parts: list[bytes] = []
    body: dict[str, list[str]] = {}
    octets = 0
    for count, (name, item) in enumerate(_items(snapshot, recent=recent)):
        if count % _TURN == _TURN - 1:
            await trio.lowlevel.checkpoint()
        size = len(item) if item.isascii() else len(messages.line(item))
        if octets + size > PART:
            parts.append(messages.line(f'{{"part":{{{_lists(body)}}}}}'))
            body, octets = {}, 0
        body.setdefault(name, []).append(item)
        octets += size
    head = {
        "version": __version__,
        "time": to_json(snapshot.wall),
        "boottime": snapshot.boottime,
        "totals": to_json(snapshot.totals),
        "parts": len(parts),
    }
    whole = f"{messages.text(head)[:-1]},{_lists({'clients': [], **body})}}}"
    return [*parts, messages.line(wrap(whole))]


def _lists(body: Mapping[str, Sequence[str]]) -> str:
    return ",".join(f'"{name}":[{",".join(items)}]' for name, items in body.items())


def _items(snapshot: Snapshot, *, recent: bool) -> Iterator[tuple[str, str]]:
    for client in snapshot.clients:
        item = client_to_json(client, snapshot.boottime, snapshot.wall)
        yield "clients", messages.text({**item, "view": to_json(client)} if recent else item)
    if recent:
        for begin in range(0, len(snapshot.dialogue), _TURN):
            for text in line_texts(snapshot.dialogue[begin : begin + _TURN]):
                yield "dialogue", text
        for at, fact in snapshot.mails:
            yield "mails", messages.text({"at": to_json(at), **event_to_json(fact)})
        for note in snapshot.notes:
            yield "log", fact_text(note)
        for id_, result in snapshot.closed:
            yield "sessions", messages.text({"client": id_, "result": to_json(result)})


def client_to_json(client: ClientView, boottime: float, wall: datetime) -> Json:
    """Return what people and scripts want to know of a client, as docs/control.md describes it."""
    running = client.session is not None
    return {
        "id": client.info.id,
        "server": client.info.server,
        "recip": client.info.recip,
        "state": client.state.word,
        "due": client.due,
        "next_run": None if client.due is None else to_json(wall + timedelta(seconds=client.due - boottime)),
        "progress": _progress(client) if running else None,
        "last": None if client.last is None else _result(client.last),
        "messages": client.messages,
        "octets": client.octets,
        "kept": client.kept,
        "sessions": {str(code.value): count for code, count in client.sessions},
        "certificate_expires": _expiry(client),
        "failures_in_a_row": client.failures_in_a_row,
        "last_success": None if client.last_success is None else to_json(client.last_success),
        "last_message": None if client.last_message is None else to_json(client.last_message),
    }


def _expiry(client: ClientView) -> str | None:
    expires = None if client.tls is None else client.tls.expires
    return None if expires is None else str(to_json(expires))


def _progress(client: ClientView) -> Json:
    return {
        "session": to_json(client.session),
        "messages": client.received,
        "octets": client.received_octets,
        "to_retrieve": client.to_retrieve,
        "to_retrieve_octets": client.to_retrieve_octets,
    }


def _result(result: SessionResult | PastSession) -> Json:
    return {
        "result": session_summary(result),
        "code": result.code.value,
        "error": result.error,
        "started": to_json(result.started),
        "ended": to_json(result.ended),
        "messages": result.messages,
        "octets": result.octets,
    }


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SnapshotParts:
    """Collects the parts of a snapshot until its last line comes."""

    _lists: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, body: object) -> None:
        """Take the body of a part, or of the last line. Raises InvalidMessageError."""
        if not isinstance(body, Mapping):
            raise InvalidMessageError("a snapshot must be an object")
        for name, items in body.items():
            if isinstance(items, list):
                self._lists.setdefault(name, []).extend(items)

    def whole(self, body: Mapping[str, Any]) -> Json:
        """Return the whole snapshot, of which `body` is the last line, and forget its parts.

        Raises InvalidMessageError if it lacks what commands read.
        """
        self.add(body)
        lists, self._lists = self._lists, {}
        snapshot = {**body, **lists}
        from_json(_Status, snapshot)
        for each in snapshot["clients"]:
            counts = each.get("sessions", {})
            if not isinstance(counts, Mapping) or not all(type(count) is int for count in counts.values()):
                raise InvalidMessageError("sessions must be numbers by exit code")
        return snapshot


@dataclass(frozen=True, slots=True)
class _Last:
    result: str
    code: ExitCode


@dataclass(frozen=True, slots=True)
class _Progress:
    session: SessionId


@dataclass(frozen=True, slots=True)
class _Client:
    """What commands read of a client."""

    id: str
    state: str
    due: float | None
    progress: _Progress | None
    last: _Last | None
    messages: int
    octets: int
    kept: int
    failures_in_a_row: int
    last_success: datetime | None
    last_message: datetime | None
    certificate_expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Status:
    """What commands read of a snapshot."""

    time: datetime
    boottime: float
    totals: Totals
    clients: tuple[_Client, ...]


def restore(snapshot: Mapping[str, Any]) -> tuple[View, list[DialogueLine]]:
    """Return the view of a snapshot that was made with `recent`, and its dialogue. Raises InvalidMessageError."""
    view = View()
    totals = from_json(Totals, snapshot.get("totals"))
    view.messages_today, view.octets_today = totals.messages_today, totals.octets_today
    view.now = from_json(float, snapshot.get("boottime"))
    view.wall = from_json(datetime, snapshot.get("time"))
    for each in _list(snapshot, "clients"):
        client = from_json(ClientView, each.get("view"))
        view.clients[client.info.id] = client
    for each in _list(snapshot, "mails"):
        fact = event_from_json(each)
        if isinstance(fact, MessageDelivered | MessageSkipped):
            view.mails.append((from_json(datetime, each.get("at")), fact))
    for each in _list(snapshot, "log"):
        fact = event_from_json(each)
        if isinstance(fact, Noted):
            view.notes.append(fact)
    for each in _list(snapshot, "sessions"):
        view.closed.append(from_json(_Closed, each).pair)
    lines = [event_from_json(each) for each in _list(snapshot, "dialogue")]
    return view, [line for line in lines if isinstance(line, DialogueLine)]


@dataclass(frozen=True, slots=True)
class _Closed:
    client: str
    result: SessionResult | PastSession

    @property
    def pair(self) -> tuple[str, SessionResult | PastSession]:
        return self.client, self.result


def _list(snapshot: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = snapshot.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise InvalidMessageError(f"{name} must be a list of objects")
    return found
