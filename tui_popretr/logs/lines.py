"""The lines of the program's own log: which facts are logged, with which text and level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    ClientFinished,
    ConfigurationRejected,
    ConfigurationReloaded,
    Fact,
    Level,
    MessageSkipped,
    Noted,
    SessionClosed,
    SessionResult,
)
from tui_popretr.text import visible

#: At most this number of characters of a UID is shown, as RFC 1939 §7 allows. Some servers send longer ones.
_UID: Final = 70


def log_lines(fact: Fact, now: Callable[[], datetime]) -> Iterator[Noted]:
    """Yield the log lines for a fact, for most facts none. `now` returns the time for facts without one."""
    match fact:
        case Noted():
            yield fact
        case SessionClosed():
            yield _session(fact.session.client, fact.result)
        case MessageSkipped(failure=True):
            yield Noted(now(), Level.WARNING, fact.session.client, skip_text(fact))
        case ClientFinished():
            yield Noted(now(), Level.DEBUG, fact.client, "has completed all its runs")
        case ConfigurationReloaded():
            yield Noted(now(), Level.INFO, None, f"configuration reloaded: {_changes(fact)}")
        case ConfigurationRejected():
            yield Noted(now(), Level.ERROR, None, "configuration not reloaded, the old one stays in force:")
            for problem in fact.problems:
                yield Noted(now(), Level.ERROR, None, problem)
        case _:
            pass


def skip_text(message: MessageSkipped) -> str:
    """Return the text that a message stays on the server, with the reason. The reason is not neutralised."""
    name = message_name(message.number, message.uid, message.octets)
    return f"{name} stays on the server: {message.reason}"


def message_name(number: int, uid: str | None, octets: int = 0) -> str:
    """Return a text that identifies a message in a session: `message 3 (UID abc123, 2 kB)`.

    The UID is omitted if it is None, and the size if `octets` is 0.
    """
    marks = [] if uid is None else [f"UID {visible(uid, _UID)}"]
    marks += [wording.size(octets)] if octets else []
    return f"message {number} ({', '.join(marks)})" if marks else f"message {number}"


def _session(client: str, result: SessionResult) -> Noted:
    level = Level.INFO if result.ok else Level.WARNING if result.code is ExitCode.TEMPORARY else Level.ERROR
    return Noted(result.ended, level, client, wording.session_result(result))


def _changes(fact: ConfigurationReloaded) -> str:
    groups = (("added", fact.added), ("removed", fact.removed), ("changed", fact.changed))
    return "; ".join(f"{word} {', '.join(ids)}" for word, ids in groups if ids) or "no client has changed"
