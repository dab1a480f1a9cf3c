"""The transcript pane: the dialogue, and the keys to move, search, select, copy and save."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui_popretr.clock import SystemClock
from tui_popretr.logs.items import SearchPattern, is_error, logged
from tui_popretr.logs.reading import TranscriptFiles
from tui_popretr.ui.model.saving import default_path
from tui_popretr.ui.widgets.dialogue_pane import DialoguePane
from tui_popretr.ui.widgets.prompt import Prompt
from tui_popretr.ui.widgets.saving import SaveDialog


class TranscriptPane(DialoguePane):
    """Has a line for questions below the dialogue."""

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
        super().__init__(history)
        self._folder = folder
        self._now = now or SystemClock().now
        self._prompt = Prompt()

    def compose(self) -> ComposeResult:
        yield self.view
        yield self._prompt

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
        self.go_to_end()

    def action_error(self, step: int) -> None:
        """Go to the next -ERR of the dialogue, or the previous one."""
        view = self.view
        here = view.shown.end - 1 if view.cursor is None else view.cursor
        numbers = range(here + 1, view.shown.end) if step > 0 else range(here - 1, view.shown.first - 1, -1)
        found = next((number for number in numbers if is_error(view.shown.item(number))), None)
        if found is None:
            self._found_nothing(f"no error further {'down' if step > 0 else 'up'}")
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
            self._found_nothing(f"no match further {'down' if step > 0 else 'up'}")

    async def _search_older(self, pattern: SearchPattern) -> None:
        if not await self._log.search_older(pattern):
            self._found_nothing("no match further up, in the log on disk either")

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
