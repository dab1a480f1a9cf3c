"""What the program does beside the sessions, in sentences for `check`: control socket, hooks, metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tui_popretr.config.choices import LASTING_EVENTS, HookEvent
from tui_popretr.config.model import HookSettings, Settings
from tui_popretr.config.paths import LONGEST_SOCKET_PATH, NO_SOCKET
from tui_popretr.config.units import every, span
from tui_popretr.text import visible
from tui_popretr.wording import plural


def describe_program(settings: Settings) -> list[str]:
    """Return a line for the control socket, for each hook, and for the metrics."""
    return [visible(line, 4096) for line in _lines(settings)]


def _lines(settings: Settings) -> Iterator[str]:
    path = settings.control_socket
    if path == NO_SOCKET or len(os.fsencode(path)) > LONGEST_SOCKET_PATH:  # a warning explains the second case
        yield "Control socket: None, so attach, status and other commands cannot reach the daemon."
    else:
        yield f"Control socket: {path}"
    for hook in settings.hooks:
        yield f"Hook on {hook.on.value}: {_hook(hook)}."
    if settings.metrics is not None:
        yield f"Metrics: Written to {settings.metrics.path} {every(settings.metrics.every)}."


def _hook(hook: HookSettings) -> str:
    clients = f" of {', '.join(hook.clients)}" if hook.clients else ""
    limit = ""
    if hook.on in LASTING_EVENTS:
        limit = f", at most once in {span(hook.every)}" if hook.every else ", each time"
    return f"Runs {hook.argv[0]} {_when(hook, clients)}{limit}"


def _when(hook: HookSettings, clients: str) -> str:
    match hook.on:
        case HookEvent.FAILED:
            return f"after {_failed(hook, clients)}"
        case HookEvent.RECOVERED:
            return f"when a session succeeds after {_failed(hook, clients)}"
        case HookEvent.DELIVERED:
            return f"after each session{clients} that delivered messages"
        case HookEvent.LOGIN:
            return f"when a login{clients} is rejected"
        case HookEvent.CERTIFICATE:
            return f"when the server certificate{clients} expires in fewer than 14 days"
        case HookEvent.STALE:
            return f"after {span(hook.after)} without mail{clients}"
        case HookEvent.KEPT:
            return f"after each session{clients} with messages that arrived cut short"


def _failed(hook: HookSettings, clients: str) -> str:
    row = " in a row" if hook.after > 1 else ""
    return f"{plural(int(hook.after), 'failed session')}{row}{clients}"
