"""A log file: buffered lines, rotation by time or size, banners. It never raises: errors of the disk are reported."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock

from tui_popretr.clock import Clock
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings
from tui_popretr.errors import file_unusable
from tui_popretr.logs.appender import Appender, open_log, standard_stream, with_room
from tui_popretr.logs.naming import expand, period_start
from tui_popretr.logs.stream import LogStream
from tui_popretr.logs.timestamps import date_and_time
from tui_popretr.wording import plural

STANDARD_STREAMS = {"%stdout%": 1, "%stderr%": 2}

#: Seconds after a failed write until the next attempt.
RETRY_AFTER = 5.0
#: Seconds between two checks whether the file still has its name.
NAME_CHECK_INTERVAL = 1.0
#: Attempts to write lines again after the file was removed.
_ATTEMPTS = 5
#: Octets (or the configured buffer, if larger) kept while a log cannot be written. Further lines are lost.
PENDING_LIMIT = 65536
# Lines of other threads may be this much older than the newest. They do not rotate back to the previous period.
_MAX_LATENESS = timedelta(seconds=10)


class LogFile:
    """Writes the lines of one log. All methods may be called from any thread. They do not raise OSError.

    Errors and their end are passed to `report` as sentences, each kind of error once. `report` is called in the thread
    that noticed the error and without a lock held, so that it may itself write to a log.
    """

    def __init__(self, settings: LogSettings, clock: Clock, *, banner: str, report: Callable[[str], None]) -> None:
        """Open the log. `banner` names program and log in the lines written at opening, rotation and closing."""
        self._settings = settings
        self._clock = clock
        self._banner = banner
        self._report = report
        self._lock = Lock()
        self._stream = STANDARD_STREAMS.get(settings.path)
        self._max_size = 0 if self._stream is not None else settings.max_size or 0
        self._rotation = Rotation.NEVER if self._max_size or self._stream is not None else settings.rotation

        self._file: Appender | LogStream | None = None
        self._blocked_stream: LogStream | None = None  # _file before its last write failed
        self._pending = bytearray()
        self._due: float | None = None
        self._floor = 0  # octets that do not count for rotation: the banner of a new file
        self._lost = 0  # lines
        self._retry_at = 0.0
        self._check_name_at = 0.0
        self._reported_errors: set[int | None] = set()
        self._notes: list[str] = []
        self._closed = False

        now = clock.now()
        self._minute: tuple[int, ...] = ()
        self._period = period_start(self._rotation, now)
        self._path = self._name(now, 0)
        self._open_file("opened")
        self._report_notes()

    @property
    def path(self) -> str:
        """The current file, %stdout% or %stderr%."""
        return self._path

    def write(self, line: str, when: datetime | None = None) -> None:
        """Add a line, without its newline. `when` is its time, for the rotation; the default is now."""
        self.write_lines((line,), when)

    def write_lines(self, lines: Sequence[str], when: datetime | None = None) -> None:
        """Add lines with the same time."""
        with self._lock:
            if not self._closed:
                self._add_lines(lines, when)
                if self._settings.flush <= 0:
                    self._flush()
        if self._notes:
            self._report_notes()

    def write_through(self, lines: Sequence[str], when: datetime | None = None) -> None:
        """Add lines and write them before returning, regardless of the configured flush.

        While the log cannot be written, the lines are kept like others. They are never written only to a removed file.
        Blocks for a second at most if the log is a stream.
        """
        with self._lock:
            if not self._closed:
                for _ in range(_ATTEMPTS):
                    self._check_name_at = 0.0
                    self._add_lines(lines, when)
                    self._flush()
                    if not self._is_removed():  # after the check
                        break
            file = self._file
        if file is not None:
            file.drain()
        if self._notes:
            self._report_notes()

    def flush(self) -> None:
        """Write the buffered lines. If the log could not be written, try again when RETRY_AFTER has passed."""
        with self._lock:
            if not self._closed and (self._pending or self._file is None):
                self._flush()
        if self._notes:
            self._report_notes()

    def due(self) -> float | None:
        """Return when to call flush() (boottime seconds), None if there is nothing to flush. Never blocks."""
        return self._due

    def reopen(self) -> None:
        """Close the file and open it again by its name, after it was renamed."""
        with self._lock:
            if not self._closed and self._stream is None:
                if not self._is_removed():
                    self._write_pending()
                self._close_file("closed")
                self._open_file("opened")
        self._report_notes()

    def close(self) -> None:
        """Write the buffered lines and the closing banner. Later lines are ignored."""
        with self._lock:
            if not self._closed:
                self._retry_at = self._check_name_at = 0.0
                self._flush()
                self._close_file("closed")
                self._lost += self._pending.count(b"\n")
                if self._lost:
                    self._notes.append(f"{self._path}: the log is closed without its last {plural(self._lost, 'line')}")
                self._closed = True
                self._due = None
        self._report_notes()

    # --- called with the lock held ----------------------------------------------------------------------------------

    def _add_lines(self, lines: Sequence[str], when: datetime | None) -> None:
        # A rotation may be due between any two lines, or only some fit into the pending ones.
        if self._max_size or self._file is None:
            for line in lines:
                self._add(line, when)
        elif lines:
            self._add("\n".join(lines), when)

    def _add(self, lines: str, when: datetime | None) -> None:
        data = lines.encode("utf-8", "backslashreplace") + b"\n"
        if self._max_size:
            self._rotate_by_size(len(data))
        elif self._period is not None:
            self._rotate_by_time(when or self._clock.now(), self._period)
        if self._file is None:
            self._flush()
        if self._file is None and len(self._pending) + len(data) > max(PENDING_LIMIT, self._settings.buffer):
            self._lost += data.count(b"\n")
            return
        if self._due is None:
            self._due = self._clock.boottime() + self._settings.flush
        self._pending += data
        if len(self._pending) >= self._settings.buffer:
            self._flush()

    def _rotate_by_size(self, octets: int) -> None:
        if self._file is None:
            return
        size = self._file.size + len(self._pending)
        if size > self._floor and size + octets > self._max_size:
            self._flush()
            self._rotate_to(self._name(self._clock.now(), octets))

    def _rotate_by_time(self, when: datetime, period: datetime) -> None:
        minute = (when.minute, when.hour, when.day, when.month, when.year)
        if minute == self._minute:
            return
        self._minute = minute
        start = period_start(self._rotation, when) or period
        if start > period or when.replace(tzinfo=None) < period - _MAX_LATENESS:
            self._period = start
            self._flush()
            self._rotate_to(self._name(when, 0))

    def _name(self, when: datetime, octets: int) -> str:
        if self._stream is not None:
            return self._settings.path
        name = expand(self._settings.path, self._rotation, when, os.getpid())
        return with_room(name, self._max_size, octets or 1) if self._max_size else name

    def _rotate_to(self, path: str) -> None:
        if path != self._path:
            previous = self._path
            self._close_file(f"continued in {path}")
            self._path = path
            self._open_file(f"continued from {previous}")

    def _is_removed(self) -> bool:
        return self._file is not None and self._file.removed()

    def _check_name(self) -> None:
        """Continue in a new file if the current file was removed or renamed, for example by logrotate."""
        now = self._clock.boottime()
        if self._file is None or now < self._check_name_at:
            return
        self._check_name_at = now + NAME_CHECK_INTERVAL
        if not self._file.lost():
            return
        try:
            file = self._open()
        except OSError as error:
            if self._is_removed():  # otherwise the renamed file is still written
                self._note_failure(error)
            return
        self._close_file("closed")
        self._open_file("opened", file)

    def _open_file(self, how: str, file: Appender | LogStream | None = None) -> None:
        try:
            self._file, self._blocked_stream = file or self._blocked_stream or self._open(), None
            is_new = self._file.size == 0
            self._write_banner(how)
            self._floor = self._file.size if is_new else 0
            self._file.write(self._pending)
            if self._lost:
                self._write_banner(f"{plural(self._lost, 'line')} missing here: the log could not be written")
        except OSError as error:
            self._note_failure(error)
            return
        self._due = None
        if self._reported_errors:
            lost = f"; {plural(self._lost, 'line')} lost" if self._lost else ""
            self._notes.append(f"{self._path}: the log can be written again{lost}")
            self._reported_errors.clear()
        self._lost = 0

    def _open(self) -> Appender | LogStream:
        return open_log(self._path) if self._stream is None else standard_stream(self._stream)

    def _flush(self) -> None:
        if self._file is None:
            if self._clock.boottime() >= self._retry_at:
                self._open_file("opened again")
            return
        self._check_name()
        self._write_pending()

    def _write_pending(self) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._pending)
        except OSError as error:
            self._note_failure(error)
        else:
            self._due = None

    def _close_file(self, how: str) -> None:
        if self._file is not None:
            try:
                self._write_banner(how)
                self._file.close()
            except OSError as error:
                self._note_failure(error)
            else:
                self._lost += self._file.waiting
        if self._blocked_stream is not None:
            self._blocked_stream.close()
            self._lost += self._blocked_stream.waiting
        self._file = self._blocked_stream = None

    def _write_banner(self, how: str) -> None:
        if self._file is not None and self._stream is None:
            line = f"# {date_and_time(self._clock.now())} {self._banner}: {how}\n"
            self._file.write(bytearray(line.encode("utf-8", "backslashreplace")))

    def _note_failure(self, error: OSError) -> None:
        if isinstance(self._file, LogStream):  # its queue still has lines, and it cannot be opened again
            self._blocked_stream = self._file
        elif self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        self._due = self._retry_at = self._clock.boottime() + RETRY_AFTER
        if error.errno not in self._reported_errors:
            self._reported_errors.add(error.errno)
            self._notes.append(f"{self._path}: the log cannot be written: {file_unusable(error).words}")

    # --- called without the lock ------------------------------------------------------------------------------------

    def _report_notes(self) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        for note in notes:
            self._report(note)
