"""A pipe, terminal or socket under a log: a thread writes it, so that nobody waits for a reader who does not read."""

from __future__ import annotations

import errno
import os
import select
import stat
from threading import Condition, Thread
from typing import Final

from tui_popretr.process.descriptors import write

#: Octets that may wait for the reader, beside what the system itself keeps for it.
QUEUE: Final = 65536
#: Seconds that settle() waits at most.
PATIENCE: Final = 1.0


def is_stream(descriptor: int) -> bool:
    """Whether somebody reads what is written there, and can make the writer wait. Raises OSError."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


class LogStream:
    """Has what Appender has, for what is_stream(). Every method may be called from any thread.

    write() never waits: it hands over to the thread. Trouble that the thread has is raised by the writes that follow,
    until a new attempt, which each of them causes, has succeeded.
    """

    size: Final = 0

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        self._descriptor = descriptor
        self._owned = owned
        self._changed = Condition()
        self._queue = bytearray()
        self._problem: OSError | None = None
        self._try = False  # in spite of the problem
        self._stuck = False  # settle() has waited in vain, and nothing has been written since
        self._closed = False
        self._thread: Thread | None = None

    @property
    def waiting(self) -> int:
        """Lines that have not been written."""
        return self._queue.count(b"\n")

    def write(self, lines: bytearray) -> None:
        """Take `lines` over, to be written soon, and empty it. Raises OSError, and leaves it as it is."""
        with self._changed:
            self._try = True
            self._changed.notify_all()
            if self._problem is not None:
                raise self._problem
            if self._queue and len(self._queue) + len(lines) > QUEUE:
                raise BlockingIOError(errno.EAGAIN, "its reader has stopped reading")
            if self._thread is None and lines:
                # It may hang in a write for ever, which must not keep the process.
                thread = Thread(target=self._work, name="log stream", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    raise BlockingIOError(errno.EAGAIN, "no thread can be started to write it") from None
                self._thread = thread
            self._queue += lines
            del lines[:]

    def removed(self) -> bool:
        """Return False: the reader gets what is written even without the name."""
        return False

    lost = removed

    def settle(self) -> None:
        """Wait until all has been written, or cannot be; at most PATIENCE, and that only once while nothing moves."""
        with self._changed:
            if not self._stuck:
                self._stuck = not self._changed.wait_for(self._settled, PATIENCE)

    def close(self) -> None:
        """Settle, and write nothing more. A standard stream of the process stays open."""
        self.settle()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._thread is None:
                self._end()

    def _settled(self) -> bool:
        return not self._queue or self._problem is not None

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while chunk := self._next():
            written, problem = 0, None
            try:
                written = write(self._descriptor, chunk)
            except OSError as error:
                problem = error
            with self._changed:
                self._problem = problem
                self._try = False
                self._stuck = self._stuck and not written
                del self._queue[:written]
                self._changed.notify_all()
        self._end()

    def _next(self) -> bytes:
        """Wait for something to write; nothing when closed. Whole lines, which others' lines in a pipe do not part."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._queue and (self._try or self._problem is None)))
            if self._closed:
                return b""
            end = self._queue.rfind(b"\n", 0, select.PIPE_BUF) + 1
            return bytes(self._queue[: end or select.PIPE_BUF])

    def _end(self) -> None:
        if self._owned:
            self._owned = False
            os.close(self._descriptor)
