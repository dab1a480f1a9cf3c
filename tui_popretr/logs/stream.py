"""A log that is a pipe, terminal or socket: a thread writes it, so that a reader that hangs blocks only the thread."""

from __future__ import annotations

import errno
import os
import select
import stat
from threading import Condition, Thread
from typing import Final

from tui_popretr.process.descriptors import write

#: Octets that may wait in the queue, in addition to the system's own buffer.
QUEUE_LIMIT: Final = 65536
#: Timeout of drain() in seconds.
DRAIN_TIMEOUT: Final = 1.0


def is_stream(descriptor: int) -> bool:
    """Return whether a reader of this descriptor can block the writer. Raises OSError."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


class LogStream:
    """Has the methods of Appender. All methods may be called from any thread.

    write() never blocks: it adds the lines to the queue of the thread. An error in the thread is raised by the next
    calls of write(). Each of them makes the thread try again, until an attempt succeeds.
    """

    size: Final = 0

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        self._descriptor = descriptor
        self._owned = owned
        self._changed = Condition()
        self._queue = bytearray()
        self._problem: OSError | None = None
        self._retry = False  # although the last attempt failed
        self._stuck = False  # drain() has timed out, and nothing has been written since
        self._closed = False
        self._thread: Thread | None = None

    @property
    def waiting(self) -> int:
        """The number of lines that have not been written yet."""
        return self._queue.count(b"\n")

    def write(self, lines: bytearray) -> None:
        """Move `lines` to the queue. Raises OSError; `lines` is unchanged then."""
        with self._changed:
            self._retry = True
            self._changed.notify_all()
            if self._problem is not None:
                raise self._problem
            if self._queue and len(self._queue) + len(lines) > QUEUE_LIMIT:
                raise BlockingIOError(errno.EAGAIN, "its reader has stopped reading")
            if self._thread is None and lines:
                # A daemon, because a write may hang forever and must not keep the process alive.
                thread = Thread(target=self._write_queue, name="log stream", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    raise BlockingIOError(errno.EAGAIN, "no thread can be started to write it") from None
                self._thread = thread
            self._queue += lines
            del lines[:]

    def removed(self) -> bool:
        """Return False: a reader has the stream open, whether or not it still has a name."""
        return False

    lost = removed

    def drain(self) -> None:
        """Wait up to DRAIN_TIMEOUT until the queue is written, or has failed. Waits only once for a stuck reader."""
        with self._changed:
            if not self._stuck:
                self._stuck = not self._changed.wait_for(self._is_drained, DRAIN_TIMEOUT)

    def close(self) -> None:
        """Drain the queue and stop writing. A standard stream of the process stays open."""
        self.drain()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._thread is None:
                self._close_descriptor()

    def _is_drained(self) -> bool:
        return not self._queue or self._problem is not None

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _write_queue(self) -> None:
        while chunk := self._next():
            written, problem = 0, None
            try:
                written = write(self._descriptor, chunk)
            except OSError as error:
                problem = error
            with self._changed:
                self._problem = problem
                self._retry = False
                self._stuck = self._stuck and not written
                del self._queue[:written]
                self._changed.notify_all()
        self._close_descriptor()

    def _next(self) -> bytes:
        """Return the next whole lines, b"" when closed. At most PIPE_BUF octets, which a pipe keeps together."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._queue and (self._retry or self._problem is None)))
            if self._closed:
                return b""
            end = self._queue.rfind(b"\n", 0, select.PIPE_BUF) + 1
            return bytes(self._queue[: end or select.PIPE_BUF])

    def _close_descriptor(self) -> None:
        if self._owned:
            self._owned = False
            os.close(self._descriptor)
