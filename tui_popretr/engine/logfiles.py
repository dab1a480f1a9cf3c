"""The engine's log files: opened from the settings, subscribed to the bus, flushed in time, reopened on request."""

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
from tui_popretr.logs.trace import TraceLog, parse_level
from tui_popretr.logs.transcript import TranscriptLog
from tui_popretr.process.systemd import is_journal

#: Seconds between two checks for lines that have to be flushed.
_FLUSH_INTERVAL = 0.25


class LogFiles:
    """Audit, transcript and trace of one process.

    `fallback` is the trace log if the configuration has none (standard error when headless), or None. If the
    configuration has one, errors still go to the fallback too, so that no failure is silent. `report` is called, from
    any thread, with the error of a log that cannot be written.
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

    @property
    def audited(self) -> bool:
        """Whether there is an audit log."""
        return self._audit is not None

    def audit(self, texts: Sequence[str]) -> None:
        """Write audit lines through to the system; from any thread. Without an audit log this does nothing."""
        log = self._audit  # a reload may replace it meanwhile
        if log is not None and texts:
            log.record(texts)

    def apply(self, settings: Settings) -> None:
        """Open the logs of these settings; if they are unchanged, reopen the files by name."""
        wanted = (settings.audit, settings.transcript, settings.trace)
        if wanted == self._settings:
            for file in self._files:
                file.reopen()
            return
        old_files, old_subscribers = self._files, self._subscribers
        self._files, self._subscribers = [], []
        self._settings = wanted
        audit, transcript, trace = wanted
        # The trace comes first: it gets the errors of logs that cannot be opened.
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
        """Flush lines that are due, for ever."""
        while True:
            await trio.sleep(_FLUSH_INTERVAL)
            self._flush_due()

    def close(self) -> None:
        """Flush and close the logs; the trace last, so that it gets the errors of the others."""
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
        file = LogFile(settings, self._clock, banner=f"tui-popretr {__version__} {name} log", report=self._report_error)
        self._files.append(file)
        return file

    def _report_error(self, text: str) -> None:
        if self._closing:  # a report from another task would come too late
            self._bus.publish(Noted(self._clock.now(), Level.ERROR, None, text))
        else:
            self._report(text)

    def _subscribe_trace(self, settings: LogSettings) -> None:
        descriptor = {"%stdout%": 1, "%stderr%": 2}.get(settings.path)
        journal = descriptor is not None and is_journal(descriptor, os.environ)
        log = TraceLog(self._open(settings, "trace"), self._clock, level=parse_level(settings.level), journal=journal)
        self._bus.subscribe(log)
        self._subscribers.append(log)
