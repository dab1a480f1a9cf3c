"""The engine's log files: opened from the settings, fed from the bus, flushed in time, reopened on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from tui_popretr import __version__
from tui_popretr.bus import Bus, DialogueSubscriber, Subscriber
from tui_popretr.clock import Clock
from tui_popretr.config.model import LogSettings, Settings
from tui_popretr.facts import Level, Noted
from tui_popretr.logs.audit import AuditLog
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.trace import TraceLog, is_journal, parse_level
from tui_popretr.logs.transcript import TranscriptLog

#: How often it is looked whether lines wait too long, seconds.
_LOOK = 0.25


class LogFiles:
    """Audit, transcript and trace of one process.

    `fallback` is where the trace goes when the configuration names no place for it (standard error when headless), or
    None; where it names one, errors still go there too, so that no failure is silent. `report` is told of logs that
    cannot be written; it may be called from any thread.
    """

    def __init__(self, bus: Bus, clock: Clock, report: Callable[[str], None], fallback: LogSettings | None) -> None:
        self._bus = bus
        self._clock = clock
        self._report = report
        self._fallback = fallback
        self._settings: tuple[LogSettings | None, ...] | None = None
        self._files: list[LogFile] = []
        self._subscribers: list[Subscriber | DialogueSubscriber] = []
        self._audit: AuditLog | None = None
        self._closing = False

    def audit(self, texts: Sequence[str]) -> None:
        """Write audit lines through to the system; from any thread. Without an audit log they go nowhere."""
        log = self._audit  # a reload may replace it at any moment
        if log is not None and texts:
            log.record(texts)

    def apply(self, settings: Settings) -> None:
        """Open the logs that these settings name; the same ones as before are reopened by name."""
        wanted = (settings.audit, settings.transcript, settings.trace)
        if wanted == self._settings:
            for file in self._files:
                file.reopen()
            return
        old_files, old_subscribers = self._files, self._subscribers
        self._files, self._subscribers = [], []
        self._settings = wanted
        audit, transcript, trace = wanted
        # First who tells of logs that cannot be opened.
        if self._fallback:
            self._subscribe_trace(replace(self._fallback, level="error") if trace else self._fallback)
        if trace:
            self._subscribe_trace(trace)
        self._audit = AuditLog(self._open(audit, "audit"), self._clock) if audit else None
        if transcript:
            log = TranscriptLog(self._open(transcript, "transcript"))
            self._bus.subscribe_dialogue(log)
            self._subscribers.append(log)
        for subscriber in old_subscribers:
            self._bus.unsubscribe(subscriber)
        for file in old_files:
            file.close()

    async def run(self) -> None:
        """Flush what has waited long enough, for ever."""
        while True:
            await trio.sleep(_LOOK)
            self._flush_due()

    def close(self) -> None:
        """Write everything out and close; the trace last, so that it has the errors of the others."""
        self._closing = True
        for file in reversed(self._files):
            file.close()
        for subscriber in self._subscribers:
            self._bus.unsubscribe(subscriber)
        self._files, self._subscribers, self._audit = [], [], None

    def _flush_due(self) -> None:
        now = self._clock.boottime()
        for file in self._files:
            due = file.due()
            if due is not None and due <= now:
                file.flush()

    def _open(self, settings: LogSettings, name: str) -> LogFile:
        file = LogFile(settings, self._clock, banner=f"tui-popretr {__version__} {name} log", report=self._tell)
        self._files.append(file)
        return file

    def _tell(self, text: str) -> None:
        if self._closing:  # what is reported later comes too late
            self._bus.publish(Noted(self._clock.now(), Level.ERROR, None, text))
        else:
            self._report(text)

    def _subscribe_trace(self, settings: LogSettings) -> None:
        descriptor = {"%stdout%": 1, "%stderr%": 2}.get(settings.path)
        journal = descriptor is not None and is_journal(descriptor, os.environ)
        log = TraceLog(self._open(settings, "trace"), self._clock, level=parse_level(settings.level), journal=journal)
        self._bus.subscribe(log)
        self._subscribers.append(log)
