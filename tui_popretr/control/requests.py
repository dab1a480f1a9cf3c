"""The commands and queries that requests stand for: one table for the server and for attached dashboards. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from tui_popretr.answers import Done, Preview, Statistics, WaitingMail
from tui_popretr.commands import (
    Command,
    DeleteMessages,
    FetchMessages,
    ListWaiting,
    PauseAll,
    PauseClient,
    PollAll,
    PollClient,
    PreviewMessage,
    Query,
    ReadStatistics,
    Reload,
    ResumeAll,
    ResumeClient,
    Shutdown,
    SkipMessages,
    StopAll,
    StopSession,
)
from tui_popretr.control.messages import Request

#: Commands for one client and for all.
_FOR_CLIENTS: Final[dict[str, tuple[type[Any], type[Any]]]] = {
    "poll": (PollClient, PollAll),
    "pause": (PauseClient, PauseAll),
    "resume": (ResumeClient, ResumeAll),
    "stop": (StopSession, StopAll),
}
_FOR_ALL_ONLY: Final[dict[str, type[Any]]] = {"reload": Reload, "shutdown": Shutdown}


def command_of(request: Request) -> Command:
    """Return the command of a request. Raises ValueError."""
    name = request.request
    command: Command
    if name in _FOR_ALL_ONLY:
        command = _FOR_ALL_ONLY[name]()
    elif name not in _FOR_CLIENTS:
        raise ValueError(f"unknown request {name!r}")
    elif request.all:
        command = _FOR_CLIENTS[name][1]()
    elif request.client is None:
        raise ValueError(f'{name} needs "client": ID or "all": true')
    else:
        command = _FOR_CLIENTS[name][0](request.client)
    return command


def request_of(command: Command) -> tuple[str, dict[str, object]]:
    """Return the name and the fields of a command's request."""
    kind = type(command)
    for name, (for_one, for_all) in _FOR_CLIENTS.items():
        if kind is for_one:
            return name, asdict(command)
        if kind is for_all:
            return name, {"all": True}
    return next(name for name, alone in _FOR_ALL_ONLY.items() if kind is alone), {}


# --- queries ----------------------------------------------------------------------------------------------------------

#: Queries, and the kinds of their answers.
_QUERIES: Final[dict[str, tuple[type[Any], type[Any]]]] = {
    "statistics": (ReadStatistics, Statistics),
    "waiting": (ListWaiting, WaitingMail),
    "preview": (PreviewMessage, Preview),
    "fetch": (FetchMessages, Done),
    "delete": (DeleteMessages, Done),
    "skip": (SkipMessages, Done),
}
_LARGEST: Final = 2**63 - 1
#: Messages in a request, at most.
MOST_MESSAGES: Final = 1000


def query_of(request: Request) -> Query | None:
    """Return the query of a request; None if it is none. Raises ValueError."""
    name = request.request
    if name not in _QUERIES:
        return None
    if name == "statistics":
        return ReadStatistics(request.client)
    if request.client is None:
        raise ValueError(f'{name} needs "client": ID')
    if name == "waiting":
        return ListWaiting(request.client)
    messages = tuple(dict.fromkeys(request.messages))
    if not all(0 < each.number <= _LARGEST and 0 <= each.size <= _LARGEST for each in messages):
        raise ValueError("a message has a number from 1 and a size from 0 octets")
    if not messages or len(messages) > (1 if name == "preview" else MOST_MESSAGES):
        wanted = "one message" if name == "preview" else f"1 to {MOST_MESSAGES} messages"
        raise ValueError(f'{name} needs {wanted} in "messages"')
    if name == "preview":
        return PreviewMessage(request.client, messages[0])
    query: Query = _QUERIES[name][0](request.client, messages)
    return query


def request_of_query(query: Query) -> tuple[str, dict[str, object], type[Any]]:
    """Return the name and the fields of a query's request, and the kind of its answer."""
    name, answer = next((name, answer) for name, (kind, answer) in _QUERIES.items() if type(query) is kind)
    fields = asdict(query)
    if "message" in fields:
        fields["messages"] = [fields.pop("message")]
    return name, fields, answer


def changes(query: Query) -> bool:
    """Whether a query changes something: a read-only dashboard refuses it."""
    return isinstance(query, (FetchMessages, DeleteMessages, SkipMessages))
