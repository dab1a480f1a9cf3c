"""`tui-popretr transcript FILE`: the dashboard's transcript pane on a log file, with its rotations, as it grows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui_popretr.errors import UsageError, describe_os_error
from tui_popretr.facts import DialogueLine
from tui_popretr.logs.files import files_like
from tui_popretr.logs.items import Line
from tui_popretr.logs.reading import Follower, TranscriptFiles
from tui_popretr.process.signals import ending_signals
from tui_popretr.ui import work
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.shell.terminal import Terminal
from tui_popretr.ui.shell.themes import THEMES, ThemedApp, first_theme
from tui_popretr.ui.widgets.keybar import KeyBar
from tui_popretr.ui.widgets.transcript import TranscriptPane
from tui_popretr.ui.widgets.transcript_tab import TranscriptTab

if TYPE_CHECKING:
    from tui_popretr.ui.widgets.exchanges import ExchangesTable

#: Seconds between two readings of the file.
POLL = 1.0
#: Lines read before the first is shown.
_FIRST = LIMIT


class TranscriptViewer(ThemedApp):
    """Shows the end of a log and follows it."""

    TITLE = "tui-popretr transcript"
    CSS = "#keybar { height: 1; background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "one_client", "One client/all"),
        Binding("t", "next_theme", "Theme", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q,ctrl+c,ctrl+q", "ask_quit", "Quit", key_display="q"),
        Binding("ctrl+z", "suspend_process", "To the shell; fg comes back", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, lines: list[Line], history: TranscriptFiles, follower: Follower, *, title: str, theme: str = THEMES[0]
    ) -> None:
        """`lines` are the last ones before the follower's beginning; `history` has those before them."""
        super().__init__(theme=theme, driver_class=Terminal)
        self._lines = lines
        self._follower = follower
        self._pane = TranscriptPane(history)
        self._tab = TranscriptTab(self._pane, title=title)
        self._polling = False
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield self._tab
        yield KeyBar()

    def on_mount(self) -> None:
        if self.ending:
            return
        for number in ending_signals():
            # exit() restores the terminal. In a test's thread, no handlers can be set.
            with suppress(ValueError, RuntimeError):
                asyncio.get_running_loop().add_signal_handler(number, self.exit, 0)
        self._tab.add(self._lines, 0)
        self._lines = []
        self._tab.focus()
        self.set_interval(POLL, self.poll)

    async def poll(self) -> None:
        """Read what was added to the log."""
        if not self._polling:
            self._polling = True
            await work.guarded(self, "reading the log", self._poll(), self._poll_failed)

    async def _poll(self) -> None:
        try:
            lines, dropped = await asyncio.to_thread(self._follower.poll)
        finally:
            self._polling = False
        self._trouble = ""
        if lines or dropped:
            self._tab.add(lines, dropped)

    def _poll_failed(self, why: str) -> None:
        if why != self._trouble:  # once, although it is tried every second
            self._trouble = why
            self.notify(f"the log cannot be read: {why}", severity="error", markup=False)

    def action_one_client(self) -> None:
        """Show only the client of the line under the cursor, or all again."""
        if self._tab.in_exchanges:
            self._tab.show_client(None if self._pane.client is not None else self._tab.client_at_cursor)
            return
        if self._pane.client is not None:
            self._pane.show_client_here(None)
            return
        item = self._pane.view.current_item
        if isinstance(item, DialogueLine):
            self._pane.show_client_here(item.session.client)

    def on_exchanges_table_opened(self, event: ExchangesTable.Opened) -> None:
        from tui_popretr.ui.screens.exchange import ExchangeScreen

        self.push_screen(ExchangeScreen(event.exchange))

    def action_next_theme(self) -> None:
        self.next_theme()

    def action_help(self) -> None:
        from tui_popretr.ui.screens.help import HelpScreen
        from tui_popretr.ui.shell.keys import viewer_sections

        self.push_screen(HelpScreen(viewer_sections(self.BINDINGS)))

    def action_ask_quit(self) -> None:
        self.exit(0)


def run_transcript(path: str, *, no_mouse: bool = False) -> int:
    """Show a log file until the user quits; return the exit code.

    Raises UsageError if it cannot be read.
    """
    return open_viewer(path).run(mouse=not no_mouse) or 0


def open_viewer(path: str, files: Callable[[str], list[str]] = files_like) -> TranscriptViewer:
    """Return the viewer of a log file. Raises UsageError if it cannot be read."""
    path = os.path.abspath(path)
    later = frozenset(_behind(files(path), path))

    def of_interest() -> list[str]:
        return [each for each in files(path) if each not in later]

    try:
        follower = Follower(path, of_interest)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {describe_os_error(error)}") from None
    history = TranscriptFiles(of_interest)
    piece = history.before(follower.position, _FIRST)
    return TranscriptViewer(piece.lines, history, follower, title=os.path.basename(path), theme=first_theme(os.environ))


def _behind(paths: list[str], path: str) -> list[str]:
    return paths[paths.index(path) + 1 :] if path in paths else []
