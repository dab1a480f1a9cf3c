"""The transcript pane: the live dialogue of one client or of all, continued upward by the log on disk."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui_popretr.clock import SystemClock
from tui_popretr.errors import describe_os_error
from tui_popretr.logs.items import Gap, Item, Line, SearchPattern, is_error, logged
from tui_popretr.logs.reading import LinePosition, TranscriptFiles
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model.cells import sanitize
from tui_popretr.ui.model.dialogue import LIMIT, DialogueStore, of_client
from tui_popretr.ui.model.saving import default_path, save
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.prompt import Prompt
from tui_popretr.ui.widgets.titleline import TitleLine
from tui_popretr.ui.widgets.transcript_view import TranscriptView
from tui_popretr.wording import plural

#: Lines read from the disk at a time, and lines kept of these.
PIECE: Final = 2000
WINDOW: Final = 2 * LIMIT
#: Lines kept while the user reads further up.
READING_LIMIT: Final = 3 * LIMIT
#: The pieces of the log that one search goes through.
_SEARCHED: Final = 64


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
        title: str = "",
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`history` is the log on disk, if there is one; `folder` is the proposed folder for saving.

        `title` is shown before the client.
        """
        super().__init__()
        self.history = history
        self.folder = folder
        self.dialogue = DialogueStore()
        self.client: str | None = None
        self.frozen = False
        self._title = title
        self._now = now or SystemClock().now
        self._held_back: list[Item] = []  # arrived while frozen or selecting
        self._unseen = 0
        self._positions: dict[int, LinePosition] = {}  # of the items from the disk, by number
        self._at_log_start = False  # whether the first item shown is the log's first
        self._not_on_disk = False  # whether no log on disk has the lines shown
        self._reading = False
        self._ready = False  # whether there is a view
        self._saving: list[Item] = []
        self._path = ""
        self._titled = True
        #: Whether the lines of the dialogue are wrapped, and have times.
        self.wrap = self.stamps = True
        #: What the frame shows: whose dialogue it is, and whether it follows.
        self.status = ""

    def compose(self) -> ComposeResult:
        yield TitleLine()
        yield TranscriptView()
        yield Prompt()

    def on_mount(self) -> None:
        self._ready = True
        self.view.set_layout(wrap=self.wrap, stamps=self.stamps)
        self.query_one(TitleLine).display = self._titled
        self._show_live()

    @property
    def titled(self) -> bool:
        """Whether a line above the dialogue has its status; else a frame has it."""
        return self._titled

    @titled.setter
    def titled(self, value: bool) -> None:
        self._titled = value
        if self._ready:
            self.query_one(TitleLine).display = value

    @property
    def view(self) -> TranscriptView:
        """The lines on the screen."""
        return self.query_one(TranscriptView)

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
            self._held_back += items
            if (more := len(self._held_back) - LIMIT) > 0:
                gone = sum(item.count if isinstance(item, Gap) else 1 for item in self._held_back[: more + 1])
                self._held_back[: more + 1] = [Gap(gone)]
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
        here = self.view.cursor
        place = None if here is None else self._positions.get(here)
        if self.history is None or place is None:
            self.show_client(client_id)
        elif not self._reading:
            self.client = client_id
            self.frozen = False
            self._read(self._show_from(self.history, place))

    def _show_live(self) -> None:
        self._held_back.clear()
        self._positions.clear()
        self._at_log_start = False
        self._not_on_disk = self.history is None or not self.history.exists()
        self._unseen = 0
        self.view.show(self.dialogue.items(self.client), labels=self.client is None)
        self._show_status()

    def _extend(self, items: Sequence[Item]) -> None:
        view = self.view
        first = view.shown.first
        view.extend(items, LIMIT if view.following else READING_LIMIT)
        if view.shown.first != first:
            self._at_log_start = False
            self._positions = {number: place for number, place in self._positions.items() if number >= view.shown.first}
        self._show_status()

    def _catch_up(self) -> None:
        """Show the lines held back, unless the pane is still frozen or selecting."""
        view = self.view
        if self._held_back and not self.frozen and not view.selecting:
            waiting, self._held_back = self._held_back, []
            self._extend(waiting)
        if view.following and not self.frozen and not self._held_back and view.at_end:
            self._unseen = 0
        view.set_unseen(self._unseen)
        self._show_status()

    def on_transcript_view_moved(self) -> None:
        self._catch_up()

    # --- status -------------------------------------------------------------------------------------------------------

    def _show_status(self) -> None:
        self.view.set_head(self._head())
        words = self._status_words()
        subject = "all clients" if self.client is None else self.client
        self.query_one(TitleLine).set_text(f"{self._title}: {subject}" if self._title else subject, " · ".join(words))
        status = " · ".join((subject, *words))
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
        if self._at_log_start:
            return "the log on disk begins here"
        forgotten = self.dialogue.forgotten(self.client)
        if not self._not_on_disk:
            return "▲ older lines are in the log on disk: scroll on"
        if forgotten:
            return f"… {plural(forgotten, 'older line')} not kept …"
        return "nothing before this" if len(self.view.shown) else "no dialogue yet"

    def _notice(self, text: str, *, error: bool = False) -> None:
        self.app.notify(visible(text), severity="error" if error else "information", markup=False)

    # --- moving -------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self._ready or self.query_one(Prompt).asking:
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
        if (again or not len(view.shown)) and self.history is not None and not self._at_log_start:
            self._read(self._read_beginning(self.history))
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
        self.query_one(Prompt).ask(" /", self._begin_search, typed=self._search)

    def _search(self, text: str) -> None:
        self.view.search(SearchPattern(text) if text else None)
        self._show_status()

    def _begin_search(self, text: str | None) -> None:
        view = self.view
        view.focus()
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
        elif step < 0 and self.history is not None and not self._at_log_start and not self._not_on_disk:
            self._read(self._search_older(self.history, shown.pattern))
        else:
            self._notice(f"no match further {'down' if step > 0 else 'up'}")

    # --- the log on disk ----------------------------------------------------------------------------------------------

    def on_transcript_view_reached(self, event: TranscriptView.Reached) -> None:
        event.stop()
        if self.history is None:
            return
        if not event.up:
            self._read(self._read_newer(self.history))
        elif not self._at_log_start and not self._not_on_disk:
            self._read(self._read_older(self.history))

    def _read(self, reading: Coroutine[None, None, None]) -> None:
        """Run one of the coroutines below, unless one is running."""
        if self._reading:
            reading.close()
            return

        async def read() -> None:
            try:
                await reading
            finally:
                self._reading = False
                self._show_status()

        self._reading = True
        self._show_status()
        work.start(self, "reading the transcript on disk", read(), self._read_failed)

    def _read_failed(self, why: str) -> None:
        self._notice(f"the transcript on disk cannot be read: {why}", error=True)

    async def _find_first(self, history: TranscriptFiles) -> LinePosition | None:
        """Return the position on disk of the first item shown; None if it is not on disk, or no item is shown."""
        shown, client = self.view.shown, self.client
        place = self._positions.get(shown.first)
        if place is not None or not len(shown):
            return place
        items: list[Item] = []
        for item in shown.items[:16]:
            if isinstance(item, Gap):
                if items:
                    break
                continue
            items.append(item)
        place = await asyncio.to_thread(history.find, items, client)
        self._not_on_disk = place is None
        return place

    async def _read_older(self, history: TranscriptFiles) -> None:
        client, first = self.client, self.view.shown.first
        place = await self._find_first(history)
        if self._not_on_disk:
            return
        piece = await asyncio.to_thread(history.before, place, PIECE, client)
        while not piece.lines and not piece.complete:
            piece = await asyncio.to_thread(history.before, piece.reached, PIECE, client)
        view = self.view
        if client != self.client or first != view.shown.first:
            return  # the pane shows something else now
        view.prepend(piece.lines)
        self._positions.update(zip(range(view.shown.first, first), piece.positions, strict=True))
        self._at_log_start = piece.complete
        if len(view.shown) > WINDOW:
            self._drop_end()

    def _drop_end(self) -> None:
        """Drop lines beyond the window, and live lines below a gap between disk and memory."""
        view = self.view
        keep = next(
            (number for number in range(view.shown.first, view.shown.end) if number not in self._positions), None
        )
        end = min(view.shown.first + WINDOW, view.shown.end if keep is None else keep)
        for number in range(end, view.shown.end):
            self._positions.pop(number, None)
        self._unseen += len(self._held_back)
        self._held_back.clear()
        view.drop_last(view.shown.end - end)

    async def _read_newer(self, history: TranscriptFiles) -> None:
        view, client = self.view, self.client
        last = view.shown.end - 1
        place = self._positions.get(last)
        piece = await asyncio.to_thread(history.after, place, PIECE, client)
        while not piece.lines and not piece.complete:
            piece = await asyncio.to_thread(history.after, piece.reached, PIECE, client)
        if client != self.client or last != view.shown.end - 1 or view.at_end:
            return
        if piece.complete and not piece.lines:
            self.action_bottom()
            return
        self._positions.update(zip(range(last + 1, last + 1 + len(piece.lines)), piece.positions, strict=True))
        self._extend_window(piece.lines)

    def _extend_window(self, lines: Sequence[Line]) -> None:
        view = self.view
        first = view.shown.first
        view.extend(lines, WINDOW)
        for number in range(first, view.shown.first):
            self._positions.pop(number, None)
            self._at_log_start = False

    async def _read_beginning(self, history: TranscriptFiles) -> None:
        await self._show_from(history, None)
        self.view.to_top()

    async def _search_older(self, history: TranscriptFiles, pattern: SearchPattern) -> None:
        client = self.client
        place = await self._find_first(history)
        for _ in range(_SEARCHED):
            if self._not_on_disk or client != self.client or self.view.shown.pattern is not pattern:
                return
            piece = await asyncio.to_thread(history.before, place, 1, client, pattern)
            if piece.positions:
                await self._show_from(history, piece.positions[0])
                return
            if piece.complete:
                break
            place = piece.reached
        self._notice("no match further up, in the log on disk either")

    async def _show_from(self, history: TranscriptFiles, place: LinePosition | None) -> None:
        """Show the log on disk around a position, or from its beginning with None."""
        client = self.client
        lines: list[Line] = []
        places: list[LinePosition] = []
        beginning = place is None
        if place is not None:
            before = await asyncio.to_thread(history.before, place, PIECE // 4, client)
            lines, places, beginning = before.lines, before.positions, before.complete
            place = LinePosition(place.path, place.start, place.start)
        at = len(lines)
        after = await asyncio.to_thread(history.after, place, PIECE, client)
        if client != self.client:
            return
        self._held_back.clear()
        view = self.view
        view.show([*lines, *after.lines], labels=client is None)
        view.at_end = False
        self._positions = dict(enumerate([*places, *after.positions], view.shown.first))
        self._at_log_start = beginning
        if len(view.shown):
            view.go_to(view.shown.first + at)

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
        self._saving = list(self.view.shown.items)
        path = default_path(self.folder or os.getcwd(), self.client, self._now())
        self.query_one(Prompt).ask(f" save {len(self._saving):,} lines to ", self._save_to, text=path)

    def _save_to(self, path: str | None) -> None:
        self.view.focus()
        if path:
            self._save(path, replace=False)
        else:
            self._saving = []

    def _replace(self, answer: str | None) -> None:
        self.view.focus()
        if answer in ("y", "Y", "yes"):
            self._save(self._path, replace=True)
        else:
            self._saving = []

    def _save(self, path: str, *, replace: bool) -> None:
        self._path = path
        work.start(self, "saving the transcript", self._write(path, replace=replace), self._write_failed)

    def _write_failed(self, why: str) -> None:
        self._saving = []
        self._notice(f"{self._path}: {why}", error=True)

    async def _write(self, path: str, *, replace: bool) -> None:
        try:
            count = await asyncio.to_thread(partial(save, path, map(logged, self._saving), replace=replace))
        except FileExistsError:
            self.query_one(Prompt).ask(f" {visible(os.path.basename(path))} exists; replace it? (y/n) ", self._replace)
            return
        except (OSError, ValueError) as error:
            why = describe_os_error(error) if isinstance(error, OSError) else str(error)
            self._notice(f"{path}: {why}", error=True)
        else:
            self._notice(f"{count:,} lines saved to {path}")
        self._saving = []


def _index(numbers: Sequence[int], number: int) -> int | None:
    index = bisect_left(numbers, number)
    return index if index < len(numbers) and numbers[index] == number else None
