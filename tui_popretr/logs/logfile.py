"""A log file: buffered lines, rotation by time or size, banners, and no exception whatever becomes of the disk."""

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

STANDARD_STREAMS = {"%stdout%": 1, "%stderr%": 2}

#: Seconds until a log that could not be written is tried again.
RETRY_AFTER = 5.0
#: Seconds between two checks whether the file still has its name.
LOOK = 1.0
#: How often lines are written again if the file was removed meanwhile.
_ATTEMPTS = 5
#: Octets kept for a log that cannot be written (or its buffer, if that is larger); what comes then is counted and lost.
HELD = 65536
# Lines of other threads may be this much older than the newest; they do not bring the file of the last period back.
_STRAGGLERS = timedelta(seconds=10)


class LogFile:
    """Where the lines of one log go. Every method may be called from any thread, and none raises OSError.

    What goes wrong, and that it works again, is told through `report`: once for each kind of trouble, in a sentence, in
    the thread that noticed and without a lock held, so that `report` may itself write to a log.
    """

    def __init__(self, settings: LogSettings, clock: Clock, *, banner: str, report: Callable[[str], None]) -> None:
        """Open the log. `banner` names program and log in the lines at its opening, rollover and closing."""
        self._settings = settings
        self._clock = clock
        self._banner = banner
        self._report = report
        self._lock = Lock()
        self._stream = STANDARD_STREAMS.get(settings.path)
        self._max_size = 0 if self._stream is not None else settings.max_size or 0
        self._rotation = Rotation.NEVER if self._max_size or self._stream is not None else settings.rotation

        self._file: Appender | LogStream | None = None
        self._held_up: LogStream | None = None  # what _file was until it could not be written
        self._pending = bytearray()
        self._due: float | None = None
        self._floor = 0  # octets of the file that are no reason to rotate: the banner of a new one
        self._lost = 0  # lines
        self._retry_at = 0.0
        self._look_at = 0.0
        self._problems: set[int | None] = set()
        self._notes: list[str] = []
        self._closed = False

        now = clock.now()
        self._minute: tuple[int, ...] = ()
        self._period = period_start(self._rotation, now)
        self._path = self._name(now, 0)
        self._begin("opened")
        self._tell()

    @property
    def path(self) -> str:
        """The file that is written at present, %stdout% or %stderr%."""
        return self._path

    def write(self, line: str, when: datetime | None = None) -> None:
        """Add a line, without its newline. `when` is its time, for the rotation; default: now."""
        self.write_lines((line,), when)

    def write_lines(self, lines: Sequence[str], when: datetime | None = None) -> None:
        """Add lines of one moment."""
        with self._lock:
            if not self._closed:
                self._add_all(lines, when)
                if self._settings.flush <= 0:
                    self._push()
        if self._notes:
            self._tell()

    def write_through(self, lines: Sequence[str], when: datetime | None = None) -> None:
        """Add lines and hand them to the system before returning, whatever the settings' flush says.

        While the log cannot be written, the lines are kept like others. They are never written only to a removed file.
        Blocking, but never for long.
        """
        with self._lock:
            if not self._closed:
                for _ in range(_ATTEMPTS):
                    self._look_at = 0.0
                    self._add_all(lines, when)
                    self._push()
                    if not self._is_removed():  # since the check
                        break
            file = self._file
        if file is not None:
            file.settle()
        if self._notes:
            self._tell()

    def flush(self) -> None:
        """Hand what is buffered to the system; retry, where the log could not be written and it is time."""
        with self._lock:
            if not self._closed and (self._pending or self._file is None):
                self._push()
        if self._notes:
            self._tell()

    def due(self) -> float | None:
        """Return when flush() is to be called (boottime seconds), None if there is nothing to flush. Never blocks."""
        return self._due

    def reopen(self) -> None:
        """Close the file and open it again by its name, as after somebody has renamed it away."""
        with self._lock:
            if not self._closed and self._stream is None:
                if not self._is_removed():
                    self._hand_over()
                self._end("closed")
                self._begin("opened")
        self._tell()

    def close(self) -> None:
        """Write what is buffered and the closing banner. Later lines are ignored."""
        with self._lock:
            if not self._closed:
                self._retry_at = self._look_at = 0.0
                self._push()
                self._end("closed")
                self._lost += self._pending.count(b"\n")
                if self._lost:
                    self._notes.append(f"{self._path}: the log is closed without its last lines, {self._lost} are lost")
                self._closed = True
                self._due = None
        self._tell()

    # --- the lock is held in all of these ---------------------------------------------------------------------------

    def _add_all(self, lines: Sequence[str], when: datetime | None) -> None:
        # The next file may begin between any two of them, or there may be room for some.
        if self._max_size or self._file is None:
            for line in lines:
                self._add(line, when)
        elif lines:
            self._add("\n".join(lines), when)

    def _add(self, lines: str, when: datetime | None) -> None:
        data = lines.encode("utf-8", "backslashreplace") + b"\n"
        if self._max_size:
            self._turn_by_size(len(data))
        elif self._period is not None:
            self._turn_by_time(when or self._clock.now(), self._period)
        if self._file is None:
            self._push()
        if self._file is None and len(self._pending) + len(data) > max(HELD, self._settings.buffer):
            self._lost += data.count(b"\n")
            return
        if self._due is None:
            self._due = self._clock.boottime() + self._settings.flush
        self._pending += data
        if len(self._pending) >= self._settings.buffer:
            self._push()

    def _turn_by_size(self, octets: int) -> None:
        if self._file is None:
            return
        size = self._file.size + len(self._pending)
        if size > self._floor and size + octets > self._max_size:
            self._push()
            self._roll(self._name(self._clock.now(), octets))

    def _turn_by_time(self, when: datetime, period: datetime) -> None:
        minute = (when.minute, when.hour, when.day, when.month, when.year)
        if minute == self._minute:
            return
        self._minute = minute
        start = period_start(self._rotation, when) or period
        if start > period or when.replace(tzinfo=None) < period - _STRAGGLERS:
            self._period = start
            self._push()
            self._roll(self._name(when, 0))

    def _name(self, when: datetime, octets: int) -> str:
        if self._stream is not None:
            return self._settings.path
        name = expand(self._settings.path, self._rotation, when, os.getpid())
        return with_room(name, self._max_size, octets or 1) if self._max_size else name

    def _roll(self, path: str) -> None:
        if path != self._path:
            previous = self._path
            self._end(f"continued in {path}")
            self._path = path
            self._begin(f"continued from {previous}")

    def _is_removed(self) -> bool:
        return self._file is not None and self._file.removed()

    def _keep_name(self) -> None:
        """Continue in a new file if the current one was removed or renamed, for example by logrotate."""
        now = self._clock.boottime()
        if self._file is None or now < self._look_at:
            return
        self._look_at = now + LOOK
        if not self._file.lost():
            return
        try:
            file = self._open()
        except OSError as error:
            if self._is_removed():  # otherwise the lines go to the renamed file
                self._fail(error)
            return
        self._end("closed")
        self._begin("opened", file)

    def _begin(self, how: str, file: Appender | LogStream | None = None) -> None:
        try:
            self._file, self._held_up = file or self._held_up or self._open(), None
            is_new = self._file.size == 0
            self._mark(how)
            self._floor = self._file.size if is_new else 0
            self._file.write(self._pending)
            if self._lost:
                self._mark(f"{self._lost} lines are missing here, the log could not be written")
        except OSError as error:
            self._fail(error)
            return
        self._due = None
        if self._problems:
            lost = f"; {self._lost} lines are lost" if self._lost else ""
            self._notes.append(f"{self._path}: the log can be written again{lost}")
            self._problems.clear()
        self._lost = 0

    def _open(self) -> Appender | LogStream:
        return open_log(self._path) if self._stream is None else standard_stream(self._stream)

    def _push(self) -> None:
        if self._file is None:
            if self._clock.boottime() >= self._retry_at:
                self._begin("opened again")
            return
        self._keep_name()
        self._hand_over()

    def _hand_over(self) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._pending)
        except OSError as error:
            self._fail(error)
        else:
            self._due = None

    def _end(self, how: str) -> None:
        if self._file is not None:
            try:
                self._mark(how)
                self._file.close()
            except OSError as error:
                self._fail(error)
            else:
                self._lost += self._file.waiting
        if self._held_up is not None:
            self._held_up.close()
            self._lost += self._held_up.waiting
        self._file = self._held_up = None

    def _mark(self, how: str) -> None:
        if self._file is not None and self._stream is None:
            line = f"# {date_and_time(self._clock.now())} {self._banner}: {how}\n"
            self._file.write(bytearray(line.encode("utf-8", "backslashreplace")))

    def _fail(self, error: OSError) -> None:
        if isinstance(self._file, LogStream):  # there is no other to be had, and lines wait in it
            self._held_up = self._file
        elif self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        self._due = self._retry_at = self._clock.boottime() + RETRY_AFTER
        if error.errno not in self._problems:
            self._problems.add(error.errno)
            self._notes.append(f"{self._path}: the log cannot be written: {file_unusable(error).words}")

    # --- and in this one it is not ----------------------------------------------------------------------------------

    def _tell(self) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        for note in notes:
            self._report(note)
