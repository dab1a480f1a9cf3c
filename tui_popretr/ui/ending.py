"""The end of an app in Textual, checked with version 8.2: an exception while an app ends is not a crash."""

from __future__ import annotations

from textual.app import App, ScreenError
from textual.css.query import QueryError
from textual.widget import MountError

from tui_popretr.process import job

#: A widget is missing.
_MISSING = (QueryError, MountError, ScreenError)


class EndingApp(App[int]):
    """An app whose handlers may fail once exit() was called.

    From then on Textual mounts no widgets and removes the existing ones, but still handles queued events: the first
    Mount if the terminal is lost early, keys, timers, results of workers. A handler that then misses its widgets must
    not turn a lost terminal, or the user's `q`, into a crash of the program.
    """

    @property
    def ending(self) -> bool:
        """Whether exit() was called, or widgets are being removed for another reason."""
        return self._exit or (self._is_mounted and not self._running)

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
