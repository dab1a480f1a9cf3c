"""The transcript pane: the live dialogue of one client or of all, continued upward by the log on disk."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui_popretr.clock import SystemClock
from tui_popretr.logs.items import Gap, Item, Line, SearchPattern, is_error, logged
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.dialogue import LIMIT, DialogueStore, HeldBack, of_client
from tui_popretr.ui.model.saving import default_path
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.log_window import LogWindow
from tui_popretr.ui.widgets.prompt import Prompt
from tui_popretr.ui.widgets.saving import SaveDialog
from tui_popretr.ui.widgets.transcript_view import TranscriptView
from tui_popretr.wording import plural

#: Lines kept while the user reads further up.
READING_LIMIT: Final = 3 * LIMIT


class TranscriptPane(Vertical):
    """Shows the dialogue and follows it; searches, selects, copies and saves it."""

    DEFAULT_CSS = "TranscriptPane { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "freeze", "Freeze"),
        Binding("slash", "ask_search", "Search", key_display="/"),
        Binding("n", "find(1)", "Next found", show=False),
        Binding("N", "find(-1)", "Previous found", show=False, key_display="N"),
        Binding("right_square_bracket", "error(1)", "Next error", show=False, key_display="]"),
        Binding("left_square_bracket", "error(-1)", "Previous error", show=False, key_display="["),
        Binding("w", "wrap", "Wrap"),
        Binding("T", "stamps", "Times", show=False, key_display="T"),
        Binding("v", "select", "Select", show=False),
        Binding("y", "copy", "Copy"),
        Binding("S", "ask_save", "Save", key_display="S"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1.0)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1.0)", "Page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("home,g", "top", "First; again: of the log on disk", show=False),
        Binding("end,G", "bottom", "Last, and follow", show=False),
        Binding("left,h", "sideways(-8)", "Left, where lines are not wrapped", show=False),
        Binding("right,l", "sideways(8)", "Right, where lines are not wrapped", show=False),
        Binding("escape", "cancel", "End selection or search", show=False),
    ]

    def __init__(
        self,
        history: TranscriptFiles | None = None,
        *,
        folder: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`history` is the log on disk, if there is one; `folder` is the proposed folder for saving."""
        super().__init__()
        self._history = history or TranscriptFiles(list)
        self._folder = folder
        self.dialogue = DialogueStore()
        self.client: str | None = None
        self.frozen = False
        self._now = now or SystemClock().now
        #: The lines on the screen.
        self.view = TranscriptView()
        self._prompt = Prompt()
        self._log = LogWindow(self._history, self.view, None)
        self._held_back = HeldBack()  # arrived while frozen or selecting
        self._unseen = 0
        self._reading = False
        self._ready = False  # whether the view is there
        #: Whether the lines of the dialogue are wrapped, and have times.
        self.wrap = self.stamps = True
        #: What the frame shows: whose dialogue it is, and whether it follows.
        self.status = ""

    def compose(self) -> ComposeResult:
        yield self.view
        yield self._prompt

    def on_mount(self) -> None:
        self._ready = True
        self.view.set_layout(wrap=self.wrap, stamps=self.stamps)
        self._show_live()

    def focus(self, scroll_visible: bool = True) -> TranscriptPane:
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
        elif self.frozen or view.selecting:
            self._held_back.add(items)
            self._unseen += count
        else:
            if not view.following:
                self._unseen += count
            self._extend(items)
        view.set_unseen(self._unseen)

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
        """Show the lines held back, unless the pane is still frozen or selecting."""
        view = self.view
        if self._held_back and not self.frozen and not view.selecting:
            self._extend(self._held_back.take())
        if view.following and not self.frozen and not self._held_back and view.at_end:
            self._unseen = 0
        view.set_unseen(self._unseen)
        self._show_status()

    def on_transcript_view_moved(self) -> None:
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
            matches = view.shown.matches
            at = ""
            if view.cursor is not None and (index := _index(matches, view.cursor)) is not None:
                at = f"{index + 1:,}/"
            words.append(f"/{sanitize(visible(pattern.text))} {at}{len(matches):,}")
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
        if not self._log.missing:
            return "▲ older lines are in the log on disk: scroll on"
        if forgotten:
            return f"… {plural(forgotten, 'older line')} not kept …"
        return "nothing before this" if len(self.view.shown) else "no dialogue yet"

    def _notice(self, text: str, *, error: bool = False) -> None:
        self.app.notify(visible(text), severity="error" if error else "information", markup=False)

    # --- moving -------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self._ready or self._prompt.asking:
            return False
        if action == "sideways":
            return not self.view.columns.wrap
        if action == "cancel":
            return self.view.selecting or self.view.shown.pattern is not None
        return super().check_action(action, parameters)

    def action_move(self, lines: int) -> None:
        self.view.move(lines)

    def action_page(self, pages: float) -> None:
        self.view.page(pages)

    def action_sideways(self, cells: int) -> None:
        self.view.sideways(cells)

    def action_top(self) -> None:
        view = self.view
        again = view.cursor == view.shown.first and not view.scroll_offset.y
        if (again or not len(view.shown)) and not self._log.at_start and self._history.exists():
            self._read(self._log.show_beginning())
        else:
            view.to_top()

    def action_bottom(self) -> None:
        if not self.view.at_end:
            self._show_live()
        self.view.follow()

    def action_error(self, step: int) -> None:
        """Go to the next -ERR of the dialogue, or the previous one."""
        view = self.view
        here = view.shown.end - 1 if view.cursor is None else view.cursor
        numbers = range(here + 1, view.shown.end) if step > 0 else range(here - 1, view.shown.first - 1, -1)
        found = next((number for number in numbers if is_error(view.shown.item(number))), None)
        if found is None:
            self._notice(f"no error further {'down' if step > 0 else 'up'}")
        else:
            view.go_to(found)

    def action_freeze(self) -> None:
        self.frozen = not self.frozen
        self._catch_up()

    def action_wrap(self) -> None:
        self.wrap = not self.wrap
        self.view.set_layout(wrap=self.wrap, stamps=self.stamps)

    def action_stamps(self) -> None:
        self.stamps = not self.stamps
        self.view.set_layout(wrap=self.wrap, stamps=self.stamps)

    def action_cancel(self) -> None:
        if self.view.selecting:
            self.view.clear_selection()
        else:
            self.view.search(None)
        self._catch_up()

    # --- search -------------------------------------------------------------------------------------------------------

    def action_ask_search(self) -> None:
        self._prompt.ask(" /", self._begin_search, typed=self._search)

    def _search(self, text: str) -> None:
        self.view.search(SearchPattern(text) if text else None)
        self._show_status()

    def _begin_search(self, text: str | None) -> None:
        view = self.view
        view.search(SearchPattern(text) if text else None)
        if text:
            here = view.shown.end if view.cursor is None else view.cursor
            found = view.shown.next_match(here - 1)
            if found is not None:
                view.go_to(found)
            else:
                self.action_find(-1)
        self._show_status()

    def action_find(self, step: int) -> None:
        shown = self.view.shown
        if shown.pattern is None:
            self.action_ask_search()
            return
        here = shown.end if self.view.cursor is None else self.view.cursor
        found = shown.next_match(here) if step > 0 else shown.previous_match(here)
        if found is not None:
            self.view.go_to(found)
        elif step < 0 and not self._log.at_start and not self._log.missing:
            self._read(self._search_older(shown.pattern))
        else:
            self._notice(f"no match further {'down' if step > 0 else 'up'}")

    # --- the log on disk ----------------------------------------------------------------------------------------------

    def on_transcript_view_reached(self, event: TranscriptView.Reached) -> None:
        event.stop()
        if not event.up:
            self._read(self._read_newer())
        elif not self._log.at_start and not self._log.missing:
            self._read(self._log.read_older())

    async def _read_newer(self) -> None:
        if await self._log.read_newer():
            self.action_bottom()

    async def _search_older(self, pattern: SearchPattern) -> None:
        if not await self._log.search_older(pattern):
            self._notice("no match further up, in the log on disk either")

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

    # --- copying and saving -------------------------------------------------------------------------------------------

    def action_select(self) -> None:
        if self.view.selecting:
            self.view.clear_selection()
        else:
            self.view.select_lines()
        self._catch_up()

    def action_copy(self) -> None:
        text, item = self.view.selected_text(), self.view.current_item
        if text is None:
            if item is None:
                return
            text = logged(item)
        self.app.copy_to_clipboard(text)
        count = text.count("\n") + 1
        self._notice("line copied" if count == 1 else f"{count:,} lines copied")
        self.view.clear_selection()
        self._catch_up()

    def action_ask_save(self) -> None:
        path = default_path(self._folder or os.getcwd(), self.client, self._now())
        SaveDialog(self._prompt, self.view.shown.items, self._notice).ask(path)


def _index(numbers: Sequence[int], number: int) -> int | None:
    index = bisect_left(numbers, number)
    return index if index < len(numbers) and numbers[index] == number else None
