"""The trace: the program's own log, which tells headless what a dashboard would show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from humanize import naturalsize

from tui_popretr.clock import Clock
from tui_popretr.config.model import LogSettings
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
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.stamps import date_and_time
from tui_popretr.text import visible

#: Where the trace goes when the configuration names no file.
TO_STDERR = LogSettings(path="%stderr%", flush=0.0)

_LINE_LIMIT = 4096

# sd-daemon(3): a number in angle brackets at the start of a line is its syslog priority
_PRIORITIES = {Level.ERROR: "<3>", Level.WARNING: "<4>", Level.INFO: "<6>", Level.DEBUG: "<7>"}
_SEVERITIES = {Level.DEBUG: 0, Level.INFO: 1, Level.WARNING: 2, Level.ERROR: 3}
_NAMES: dict[str, Level | None] = {
    "OFF": None,
    "ERR": Level.ERROR,
    "ERROR": Level.ERROR,
    "WARN": Level.WARNING,
    "WARNING": Level.WARNING,
    "INFO": Level.INFO,
    **dict.fromkeys(("DEBUG", "TRACE", "TRC", "TRC2", "TRC3", "TRC4", "TRC5", "ALL"), Level.DEBUG),
}


def parse_level(name: str) -> Level | None:
    """Return the level that GreyLog or plain English calls `name`, in any case; None for OFF. Raises ValueError."""
    try:
        return _NAMES[name.strip().upper()]
    except KeyError:
        raise ValueError(f"no log level {name!r}: use one of error, warn, info, debug, off") from None


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether `descriptor` leads to systemd's journal.

    JOURNAL_STREAM names the stream's device and inode (systemd.exec(5)). Its presence alone says nothing: the shells of
    a desktop session inherit it.
    """
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


class TraceLog:
    """Subscribes to the engine's facts and writes those that tell the program's story.

    `level` is the least that is written, None for nothing. With `journal` a line begins with its priority in place of
    the time, which systemd's journal adds itself.
    """

    def __init__(
        self, logfile: LogFile, clock: Clock, *, level: Level | None = Level.INFO, journal: bool = False
    ) -> None:
        self._logfile = logfile
        self._clock = clock
        self._threshold = len(_SEVERITIES) if level is None else _SEVERITIES[level]
        self._journal = journal

    def __call__(self, fact: Fact) -> None:
        match fact:
            case Noted():
                self._write(fact.at, fact.level, fact.client, fact.text)
            case SessionClosed():
                self._session(fact.session.client, fact.result)
            case MessageSkipped(trouble=True):
                size = naturalsize(fact.octets)
                text = f"message {fact.number} ({size}) stays on the server: {fact.reason}"
                self._write(None, Level.WARNING, fact.session.client, text)
            case ClientFinished():
                self._write(None, Level.INFO, fact.client, "has done all its runs")
            case ConfigurationReloaded():
                self._write(None, Level.INFO, None, f"configuration reloaded: {_changes(fact)}")
            case ConfigurationRejected():
                self._write(None, Level.ERROR, None, "configuration not reloaded, the old one stays in force:")
                for problem in fact.problems:
                    self._write(None, Level.ERROR, None, problem)
            case _:
                pass

    def _session(self, client: str, result: SessionResult) -> None:
        done = _counts(result)
        if result.ok:
            self._write(result.ended, Level.INFO, client, f"{done}; {result.error}" if result.error else done)
            return
        level = Level.WARNING if result.code is ExitCode.TEMPORARY else Level.ERROR
        text = f"failed: {result.error} ({result.advice})" if result.advice else f"failed: {result.error}"
        if result.messages or result.deleted:
            text = f"{text}; before that {done}"
        self._write(result.ended, level, client, text)

    def _write(self, at: datetime | None, level: Level, client: str | None, text: str) -> None:
        if _SEVERITIES[level] < self._threshold:
            return
        at = at or self._clock.now()
        start = _PRIORITIES[level] if self._journal else f"{date_and_time(at)} "
        subject = f"{client}: " if client else ""
        self._logfile.write(f"{start}{level.name} {subject}{visible(text, _LINE_LIMIT)}", at)


def _counts(result: SessionResult) -> str:
    """Return what a session did: `3 messages, 12.3 kB, deleted 3`."""
    if result.messages:
        parts = [f"{result.messages} message{'s' if result.messages > 1 else ''}", naturalsize(result.octets)]
    else:
        parts = ["no messages"]
    for word, count in (("deleted", result.deleted), ("skipped", result.skipped), ("failed", result.failed)):
        if count or (word == "deleted" and result.messages):
            parts.append(f"{word} {count}")
    return ", ".join(parts)


def _changes(fact: ConfigurationReloaded) -> str:
    groups = (("added", fact.added), ("removed", fact.removed), ("changed", fact.changed))
    return "; ".join(f"{word} {', '.join(ids)}" for word, ids in groups if ids) or "no client is changed by it"
