"""The terminal under the dashboard: a driver that survives the loss of the terminal, and stops without delay.

The size is the terminal's own. Textual reads it in the handler of SIGWINCH. A second signal can interrupt that handler
between reading and posting; then the older size is posted last. Here the handler only schedules the reading in the
event loop. Signals can be lost, for example while the screen is left and entered again, so the size is also compared
with the drawn size a few times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable
from typing import Any, Final, TextIO

from textual.app import App
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message

from tui_popretr.process import job
from tui_popretr.process.terminal_size import terminal_size
from tui_popretr.process.terminal_state import output
from tui_popretr.ui.textual_private import TerminalDriver

#: Seconds between two checks whether the terminal is lost, or has another size than the drawn one.
_WATCH: Final = 0.25
#: The interval in which the parser decides whether a lone escape was the key, milliseconds.
_TICK: Final = 100

#: Printed above the shell's prompt.
_SUSPENDED: Final = "tui-popretr: retrieval goes on; `fg` brings the dashboard back\n"


class Terminal(TerminalDriver):
    """Draws on whichever of standard output and error is the terminal; its loss ends the app without an error."""

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None):
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._out = _Output(output() or sys.stderr)
        self._watcher: asyncio.Task[None] | None = None
        self._waking: tuple[int, int] | None = None
        self._suspended = False
        size = size or self.read_size()
        self.set_output(self._out, size)
        app.console.size = Size(*size)  # otherwise it uses COLUMNS and LINES, before the first event and later

    def start_application_mode(self) -> None:
        self._forget_waking()
        self._waking = os.pipe()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGWINCH, self._on_resized)
        self._watcher = self.loop.create_task(self._watch())

    # Textual leaves and enters the screen within the handlers of SIGTSTP and SIGCONT. These interrupt the main thread
    # anywhere, also while it holds the lock of the output's queue. Then they wait for that lock for ever. Here the
    # handlers only schedule the work in the event loop.

    def on_sigtstp(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._suspend)
        except RuntimeError:  # the loop is closed, and the screen left
            self._stop()

    def on_sigcont(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._go_on)

    def _suspend(self) -> None:
        """Leave the screen and give up the terminal."""
        if self._suspended and job.is_kept():  # the terminal is given up already
            return
        if not self._suspended and self.has_screen:
            self.suspend_application_mode()
            self._suspended = True
            if job.is_kept():
                self._out.write(_SUSPENDED)
                self._out.flush()
        self._stop()

    def _stop(self) -> None:
        """Stop the keeper, while this process goes on; without a keeper, stop this process."""
        if job.is_kept():
            job.release_terminal()
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Enter the screen and draw all of it: the terminal is back, or SIGSTOP came without notice."""
        if self.app_has_exited or not self.has_screen:
            return
        if not self._suspended:
            self.suspend_application_mode()
        self._suspended = False
        self.resume()
        if not self.draws:  # the process is in the background and has no terminal
            self._suspended = True
            return
        # Textual draws what has changed; the screen is empty now.
        self.app.call_later(self.app.refresh, layout=True)

    def read_size(self) -> tuple[int, int]:
        return terminal_size(self._out.fileno())

    def _on_resized(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._post_size)

    def _post_size(self, *, only_new: bool = False) -> None:
        """Post the terminal's size; `only_new`: only if it differs from the drawn one. In the event loop's thread."""
        if self.reports_size_by_keys:  # the terminal reports it among the keys
            return
        size = Size(*self.read_size())
        if not (only_new and size == self.app.size):
            self.app.console.size = size
            self.send_message(Resize(size, size))

    def run_input_thread(self) -> None:
        # Textual's own checks ten times a second whether to stop, so that each exit waits for it.
        assert self._waking is not None
        feed, tick = self.key_parser()
        decode = getincrementaldecoder("utf-8")("replace").decode
        waking = self._waking[0]
        ready = select.poll()
        for descriptor in (self.fileno, waking):
            ready.register(descriptor, select.POLLIN)
        try:
            while waking not in (able := [descriptor for descriptor, _ in ready.poll(_TICK)]):
                if able:
                    keys = os.read(self.fileno, 4096)
                    if not keys:
                        break
                    self._process(feed(decode(keys)))
                self._process(tick())
        except OSError:
            self._out.lost = True

    def _process(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)

    def disable_input(self) -> None:
        if self._suspended:
            return
        if self._waking is not None:
            os.write(self._waking[1], b".")
        super().disable_input()

    def write(self, data: str) -> None:
        if not self._suspended:
            super().write(data)

    def _forget_waking(self) -> None:
        if self._waking is not None:
            for descriptor in self._waking:
                os.close(descriptor)
        self._waking = None

    async def _watch(self) -> None:
        hangup = select.poll()
        hangup.register(self.fileno, 0)  # POLLHUP and POLLERR come unasked
        while not self._out.lost and not hangup.poll(0):
            self._post_size(only_new=True)
            await asyncio.sleep(_WATCH)
        self._out.lost = True
        self.app.exit(0)

    def stop_application_mode(self) -> None:
        if self._suspended:  # the shell owns the terminal
            return
        if self._watcher is not None:
            self._watcher.cancel()
        super().stop_application_mode()
        self._forget_waking()


class _Output:
    """A terminal's writing side that never fails: after the loss of the terminal, everything written is discarded."""

    def __init__(self, stream: TextIO) -> None:
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._parts: list[bytes] = []
        self.lost = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._parts.append(text.encode(self._encoding, "replace"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        data, self._parts = memoryview(b"".join(self._parts)), []
        while data and not self.lost:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                os.set_blocking(self._fd, True)  # set by another process with the same terminal
            except OSError:
                self.lost = True
