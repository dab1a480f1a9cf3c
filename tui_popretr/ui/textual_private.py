"""The private names of Textual that the dashboard uses. Checked with Textual 8.2.8.

The classes here give them public names, for all other modules. A new version of Textual must still have all of NAMES;
the tests of app, terminal and ending show whether each still has its meaning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from textual._xterm_parser import XTermParser
from textual.app import App, ScreenError
from textual.content import Content
from textual.css.query import QueryError
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Key
from textual.geometry import Region
from textual.message import Message
from textual.widget import MountError, Widget

from tui_popretr.process import job

#: The private names, with the reason for which they are used.
NAMES: Final[dict[type, dict[str, str]]] = {
    App: {
        "_exit": "whether exit() was called",
        "_is_mounted": "whether the app has ever had widgets",
        "_running": "false when widgets are being removed",
        "_exception": "the exception that ended the app, for the caller of run()",
        "_handle_exception": "overridden: an exception while the app ends is not a crash",
        "_fatal_error": "overridden: no traceback with the values of local variables, passwords among them",
        "_print_error_renderables": "overridden for the same reason",
        "_exit_renderables": "what _print_error_renderables would print",
        "_close_messages_no_wait": "ends the app without a traceback",
        "_check_bindings": "performs the action of a key",
    },
    LinuxDriver: {
        "_app": "the app that the driver draws",
        "_loop": "the app's event loop, for handlers of signals",
        "_debug": "an argument of the parser",
        "_file": "set: the stream that is written to, which must not fail after the loss of the terminal",
        "_size": "set: otherwise it is only known after the first event",
        "_writer_thread": "None while the screen is left; not alive if the terminal was not available",
        "_in_band_window_resize": "whether the terminal reports its size among the keys",
        "_must_signal_resume": "set: the app publishes that it has resumed",
        "_get_terminal_size": "overridden: Textual's prefers COLUMNS and LINES",
        "_sigtstp_application": "overridden: Textual's can block for ever within the signal handler",
        "_sigcont_application": "overridden for the same reason",
    },
    Widget: {
        "_border_title": "set: the property would draw the whole widget again, with all that is in it",
        "_border_subtitle": "set for the same reason",
    },
    XTermParser: {"feed": "keys in, messages out; the module is private", "tick": "a lone escape after its timeout"},
}
#: Raised when a widget is missing.
_MISSING: Final = (QueryError, MountError, ScreenError)


def set_border_labels(widget: Widget, title: Content, subtitle: Content) -> None:
    """Set the texts in the upper and the lower edge of a widget with a border; only changed ones are drawn."""
    width, height = widget.size.width + 2, widget.size.height
    if widget._border_title is None or not title.is_same(widget._border_title):
        widget._border_title = title
        widget.refresh(Region(-1, -1, width, 1))
    if widget._border_subtitle is None or not subtitle.is_same(widget._border_subtitle):
        widget._border_subtitle = subtitle
        widget.refresh(Region(-1, height, width, 1))


class EndingApp(App[int]):
    """An app whose handlers may fail once exit() was called.

    From then on Textual mounts no widgets and removes the existing ones, but still handles queued events: the first
    Mount if the terminal is lost early, keys, timers, results of workers. A handler that then misses its widgets must
    not turn a lost terminal, or the user's `q`, into a crash of the program.
    """

    #: Whether a crash prints a traceback, with the values of local variables.
    PRINTS_TRACEBACK: ClassVar = True

    @property
    def ending(self) -> bool:
        """Whether exit() was called, or widgets are being removed for another reason."""
        return self._exit or (self._is_mounted and not self._running)

    @property
    def crash(self) -> Exception | None:
        """The exception that ended the app."""
        return self._exception

    async def on_event(self, event: Event) -> None:
        """Handle an event. A key is handled whole, so that the next one is for the widget that has the focus then.

        Textual passes a key to the focused widget, and from there from queue to queue up to the app, which performs its
        action. Keys that arrive meanwhile, which is usual on a slow line, would go to the widget that has the focus
        before that.
        """
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
        elif self.focused is not None and self.focused.check_consume_key(event.key, event.character):
            await self.focused.on_event(event)
        elif await self._check_bindings(event.key, priority=True) or await self._check_bindings(event.key):
            self.app_focus = True
        else:
            await super().on_event(event)

    def action_suspend_process(self) -> None:
        """Give the terminal to the shell (ctrl+z)."""
        if job.has_shell():
            super().action_suspend_process()
        else:
            self.notify("there is no shell with job control to return to", severity="warning", markup=False)

    def report(self, text: str) -> None:
        """Log a line about a bug, if the program has a log."""

    def _handle_exception(self, error: Exception) -> None:
        if not self.ending:
            super()._handle_exception(error)
            return
        if not isinstance(error, _MISSING):
            self.report(f"internal error while the dashboard ended: {type(error).__name__}: {error}")
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        if self.PRINTS_TRACEBACK:
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        if self.PRINTS_TRACEBACK:
            super()._print_error_renderables()
        else:
            self._exit_renderables.clear()


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals, with hooks and properties under public names."""

    # --- hooks --------------------------------------------------------------------------------------------------------

    def read_size(self) -> tuple[int, int]:
        """Return the terminal's columns and lines."""
        return super()._get_terminal_size()

    def on_sigtstp(self) -> None:
        """React to SIGTSTP, within the signal handler."""

    def on_sigcont(self) -> None:
        """React to SIGCONT, within the signal handler."""

    def _get_terminal_size(self) -> tuple[int, int]:
        return self.read_size()

    def _sigtstp_application(self, *_: object) -> None:
        self.on_sigtstp()

    def _sigcont_application(self, *_: object) -> None:
        self.on_sigcont()

    # --- state --------------------------------------------------------------------------------------------------------

    @property
    def app(self) -> App[Any]:
        """The app that is drawn."""
        return self._app

    @property
    def app_has_exited(self) -> bool:
        """Whether the app's exit() was called."""
        return self._app._exit

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The app's event loop."""
        return self._loop

    @property
    def has_screen(self) -> bool:
        """Whether the application mode was started and not stopped."""
        return self._writer_thread is not None

    @property
    def draws(self) -> bool:
        """Whether output reaches the screen: false if the process is in the background and has no terminal."""
        return self._writer_thread is not None and self._writer_thread.is_alive()

    @property
    def reports_size_by_keys(self) -> bool:
        """Whether the terminal reports its size among the keys (mode 2048)."""
        return self._in_band_window_resize

    def set_output(self, stream: object, size: tuple[int, int]) -> None:
        """Write to `stream`, of which fileno, isatty, write and flush are used, and take `size` as the first size."""
        self._file = stream  # type: ignore[assignment]
        self._size = size

    def resume(self) -> None:
        """Enter the application mode again, and have the app publish that it has resumed."""
        self._must_signal_resume = True
        self.resume_application_mode()

    def key_parser(self) -> tuple[Callable[[str], Iterable[Message]], Callable[[], Iterable[Message]]]:
        """Return a function that parses text from the terminal, and one to call regularly in between."""
        parser = XTermParser(self._debug)
        return parser.feed, parser.tick
