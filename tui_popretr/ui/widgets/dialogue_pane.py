"""A pane with the live dialogue of one client or of all, continued upward by the log on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Final, Self

from textual.containers import Vertical

from tui_popretr.logs.items import Gap, Item, Line
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.dialogue import LIMIT, DialogueStore, HeldBack, of_client
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.log_window import LogWindow
from tui_popretr.ui.widgets.transcript_view import TranscriptView
from tui_popretr.wording import plural

#: Lines kept while the user reads further up.
READING_LIMIT: Final = 3 * LIMIT


class DialoguePane(Vertical):
    """Shows lines as they arrive, or holds them back; reads the log on disk where the view wants more."""

    def __init__(
        self,
        history: TranscriptFiles | None = None,
    ) -> None:
        """`history` is the log on disk, if there is one."""
        super().__init__()
        self._history = history or TranscriptFiles(list)
        self.dialogue = DialogueStore()
        self.client: str | None = None
        self.frozen = False
        #: The lines on the screen.
        self.view = TranscriptView()
        self._log = LogWindow(self._history, self.view, None)
        self._held_back = HeldBack()  # arrived while frozen, selecting or hidden
        self._unseen = 0
        self._reading = False
        self._hinted = False  # whether a notice says that a jump has found nothing
        self._new_log = not self._history.exists()  # whether all of the log on disk is from this run
        self._ready = False  # whether the view is there
        #: Whether the lines of the dialogue are wrapped, and have times.
        self.wrap = self.stamps = True
        #: What the frame shows: whose dialogue it is, and whether it follows.
        self.status = ""

    def on_mount(self) -> None:
        self._ready = True
        self.view.set_layout(wrap=self.wrap, stamps=self.stamps)
        self._show_live()
        work.start(self, "reading the transcript on disk", self._look_for_older(), self._read_failed)

    async def _look_for_older(self) -> None:
        """Look whether the log on disk has the dialogue of an earlier run."""
        if not self._new_log:
            self._new_log = not await asyncio.to_thread(self._history.has_dialogue)
            self._show_status()

    def focus(self, scroll_visible: bool = True) -> Self:
        """Focus the lines."""
        self.view.focus(scroll_visible)
        return self

    # --- the dialogue -------------------------------------------------------------------------------------------------

    def add(self, lines: Sequence[Line], dropped: int) -> None:
        """Add new lines, oldest first; `dropped` lines before them were lost. Called at most ten times a second."""
        self.dialogue.add(lines, dropped)
        items = of_client(lines, dropped, self.client)
        if not items or not self._ready:
            return
        view = self.view
        count = sum(1 for item in items if not isinstance(item, Gap))
        if not view.at_end:
            self._unseen += count
        elif self._holds_back:
            self._held_back.add(items)
            self._unseen += count
        else:
            if not view.following:
                self._unseen += count
            self._extend(items)
        view.set_unseen(self._unseen)

    def set_shown(self, value: bool) -> None:
        """Show the pane, or hide it; a hidden pane only keeps lines."""
        self.display = value
        if self._ready:
            self._catch_up()

    @property
    def _holds_back(self) -> bool:
        return self.frozen or self.view.selecting or not self.display

    def show_client(self, client_id: str | None) -> None:
        """Show the dialogue of this client only, of all with None, from its end on."""
        self.client = client_id
        if self._ready:
            self.frozen = False
            self._show_live()

    def show_client_here(self, client_id: str | None) -> None:
        """Show the dialogue of this client only, of all with None, around the line under the cursor."""
        place = self._log.position(self.view.cursor)
        if place is None:
            self.show_client(client_id)
        elif not self._reading:
            self.client = client_id
            self.frozen = False
            self._open_log()
            self._read(self._log.show_around(place))

    def go_to_end(self) -> None:
        """Show the live dialogue, and follow it."""
        if not self.view.at_end:
            self._show_live()
        self.view.follow()

    def _show_live(self) -> None:
        self._held_back.take()
        self._unseen = 0
        self._open_log()
        self.view.show(self.dialogue.items(self.client), labels=self.client is None)
        self._show_status()

    def _open_log(self) -> None:
        self._log.close()
        self._log = LogWindow(self._history, self.view, self.client)

    def _extend(self, items: Sequence[Item]) -> None:
        view = self.view
        first = view.shown.first
        view.extend(items, LIMIT if view.following else READING_LIMIT)
        if view.shown.first != first:
            self._log.forget_dropped()
        self._show_status()

    def _catch_up(self) -> None:
        """Show the lines held back, unless the pane is still frozen, selecting or hidden."""
        view = self.view
        if self._held_back and not self._holds_back:
            self._extend(self._held_back.take())
        if view.following and not self.frozen and not self._held_back and view.at_end:
            self._unseen = 0
        view.set_unseen(self._unseen)
        self._show_status()

    def on_transcript_view_moved(self) -> None:
        if self._hinted:
            self._hinted = False
            self.app.clear_notifications()
        self._catch_up()

    # --- status -------------------------------------------------------------------------------------------------------

    def _show_status(self) -> None:
        self.view.set_head(self._head())
        status = " · ".join(("all clients" if self.client is None else self.client, *self._status_words()))
        if status != self.status:
            self.status = status
            self.post_message(StatusChanged())

    def _status_words(self) -> list[str]:
        view = self.view
        words = []
        if (pattern := view.shown.pattern) is not None:
            index = None if view.cursor is None else view.shown.match_index(view.cursor)
            at = "" if index is None else f"{index + 1:,}/"
            words.append(f"/{sanitize(visible(pattern.text))} {at}{len(view.shown.matches):,}")
        if view.selecting:
            words.append("selecting")
        if self.frozen:
            words.append("frozen")
        elif view.following:
            words.append("following")
        elif not view.at_end:
            words.append("on disk")
        else:
            words.append("reading")
        return words

    def _head(self) -> str:
        if self._reading:
            return "reading the log on disk …"
        if self._log.at_start:
            return "the log on disk begins here"
        forgotten = self.dialogue.forgotten(self.client)
        if not self._log.missing and (forgotten or not self._new_log):
            return "▲ older lines are in the log on disk: scroll on"
        if forgotten:
            return f"… {plural(forgotten, 'older line')} not kept …"
        return "nothing before this" if len(self.view.shown) else "no dialogue yet"

    def _notice(self, text: str, *, error: bool = False) -> None:
        """Show a notice; it replaces an older one."""
        self._hinted = False
        self.app.clear_notifications()
        self.app.notify(visible(text), severity="error" if error else "information", markup=False)

    def _found_nothing(self, text: str) -> None:
        """Say that a jump has found nothing, until the cursor moves."""
        self._notice(text)
        self._hinted = True

    # --- the log on disk ----------------------------------------------------------------------------------------------

    def on_transcript_view_reached(self, event: TranscriptView.Reached) -> None:
        event.stop()
        if not event.up:
            self._read(self._read_newer())
        elif not self._log.at_start and not self._log.missing:
            self._read(self._log.read_older())

    async def _read_newer(self) -> None:
        if await self._log.read_newer():
            self.go_to_end()

    def _read(self, reading: Coroutine[None, None, None]) -> None:
        """Run what reads the log, unless something does already."""
        if self._reading:
            reading.close()
            return

        async def read() -> None:
            try:
                await reading
            finally:
                self._reading = False
                if not self.view.at_end:
                    self._held_back.take()  # the end of the dialogue is no longer in view
                self._show_status()

        self._reading = True
        self._show_status()
        work.start(self, "reading the transcript on disk", read(), self._read_failed)

    def _read_failed(self, why: str) -> None:
        self._notice(f"the transcript on disk cannot be read: {why}", error=True)
