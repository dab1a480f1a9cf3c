"""The trace: the program's own log."""

from __future__ import annotations

from tui_popretr.clock import Clock
from tui_popretr.facts import Fact, Level, Noted
from tui_popretr.logs.lines import log_lines
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.timestamps import date_and_time
from tui_popretr.text import visible

_LINE_LIMIT = 4096

_PRIORITIES = {Level.ERROR: 3, Level.WARNING: 4, Level.INFO: 6, Level.DEBUG: 7}
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
    """Return the level of a name of GreyLog or a common one, in any case; None for OFF. Raises ValueError."""
    try:
        return _NAMES[name.strip().upper()]
    except KeyError:
        raise ValueError(f"no log level {name!r}: use one of error, warn, info, debug, off") from None


class TraceLog:
    """Subscribes to the engine's facts and writes their log lines.

    `level` is the lowest level that is written; None writes nothing. With `journal` a line begins with its priority
    instead of the time, which systemd's journal adds.
    """

    def __init__(
        self, logfile: LogFile, clock: Clock, *, level: Level | None = Level.INFO, journal: bool = False
    ) -> None:
        self._logfile = logfile
        self._clock = clock
        self._threshold = len(_SEVERITIES) if level is None else _SEVERITIES[level]
        self._journal = journal

    def __call__(self, fact: Fact) -> None:
        for note in log_lines(fact, self._clock.now):
            self._write(note)

    def _write(self, note: Noted) -> None:
        if _SEVERITIES[note.level] < self._threshold:
            return
        start = f"<{_PRIORITIES[note.level]}>" if self._journal else f"{date_and_time(note.at)} "
        subject = f"{visible(note.client)}: " if note.client else ""
        self._logfile.write(f"{start}{note.level.name} {subject}{visible(note.text, _LINE_LIMIT)}", note.at)
