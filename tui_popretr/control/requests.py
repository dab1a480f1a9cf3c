"""The commands that requests stand for: one table for the server and for attached dashboards. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from tui_popretr.commands import (
    Command,
    PauseAll,
    PauseClient,
    PollAll,
    PollClient,
    Reload,
    ResumeAll,
    ResumeClient,
    Shutdown,
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
