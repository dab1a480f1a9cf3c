"""The program's story in lines: what of the facts a reader of its log wants to know, and how much it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from humanize import naturalsize

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

#: Characters of a UID that are shown: as many as RFC 1939 allows. Some servers send many more.
_UID: Final = 70


def story(fact: Fact, now: Callable[[], datetime]) -> Iterator[Noted]:
    """Yield the lines of the log that a fact is worth, mostly none. `now` gives the time of those without one."""
    match fact:
        case Noted():
            yield fact
        case SessionClosed():
            yield _session(fact.session.client, fact.result)
        case MessageSkipped(failure=True):
            yield Noted(now(), Level.WARNING, fact.session.client, stays(fact))
        case ClientFinished():
            yield Noted(now(), Level.DEBUG, fact.client, "has done all its runs")
        case ConfigurationReloaded():
            yield Noted(now(), Level.INFO, None, f"configuration reloaded: {_changes(fact)}")
        case ConfigurationRejected():
            yield Noted(now(), Level.ERROR, None, "configuration not reloaded, the old one stays in force:")
            for problem in fact.problems:
                yield Noted(now(), Level.ERROR, None, problem)
        case _:
            pass


def stays(mail: MessageSkipped) -> str:
    """Return the text that a message stays on the server, and why. The reason is not neutralised."""
    return f"{message(mail.number, mail.uid, mail.octets)} stays on the server: {mail.reason}"


def message(number: int, uid: str | None, octets: int = 0) -> str:
    """Return a text that identifies a message: `message 3 (UID abc123, 2.0 kB)`. Numbers change from run to run.

    The UID is omitted if it is None, and the size if `octets` is 0.
    """
    marks = [] if uid is None else [f"UID {visible(uid, _UID)}"]
    marks += [naturalsize(octets)] if octets else []
    return f"message {number} ({', '.join(marks)})" if marks else f"message {number}"


def _session(client: str, result: SessionResult) -> Noted:
    done = _counts(result)
    if result.ok:
        text = f"{done}; {result.error}" if result.error else done
        return Noted(result.ended, Level.INFO, client, text)
    level = Level.WARNING if result.code is ExitCode.TEMPORARY else Level.ERROR
    text = f"failed: {result.error} ({result.advice})" if result.advice else f"failed: {result.error}"
    if result.messages or result.deleted:
        text = f"{text}; before that {done}"
    return Noted(result.ended, level, client, text)


def _counts(result: SessionResult) -> str:
    """Return what a session did: `3 messages, 12.3 kB, deleted 3`, `no new messages, 6 left on the server`."""
    if result.messages:
        parts = [f"{result.messages} message{'s' if result.messages > 1 else ''}", naturalsize(result.octets)]
    else:
        parts = ["no new messages" if result.skipped or result.kept else "no messages"]
    if result.deleted or result.messages:
        parts.append(f"deleted {result.deleted}")
    if result.skipped:
        parts.append(f"{result.skipped}{' others' if result.messages else ''} left on the server")
    if result.kept:
        parts.append(f"kept {result.kept} that arrived cut short")
    if result.failed:
        parts.append(f"failed {result.failed}")
    return ", ".join(parts)


def _changes(fact: ConfigurationReloaded) -> str:
    groups = (("added", fact.added), ("removed", fact.removed), ("changed", fact.changed))
    return "; ".join(f"{word} {', '.join(ids)}" for word, ids in groups if ids) or "no client is changed by it"
