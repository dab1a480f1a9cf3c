"""The lines of the transcript: the cursor, following the end, selection."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.selection import SELECT_ALL, Selection

from tui_popretr.logs.items import Item, logged
from tui_popretr.ui.widgets.focus import FocusAtOnce
from tui_popretr.ui.widgets.item_view import HEAD, ItemView


class TranscriptView(FocusAtOnce, ItemView, can_focus=True, inherit_bindings=False):
    """Has a cursor. While it is on the last item, the view follows: new items come into view."""

    class Reached(Message):
        """The user wants to go on beyond the first item (`up`) or the last."""

        def __init__(self, *, up: bool) -> None:
            super().__init__()
            self.up = up

    class Moved(Message):
        """Cursor, following or selection have changed."""

    def __init__(self) -> None:
        super().__init__()
        self._anchor: int | None = None  # where the selection of lines began

    # --- moving -------------------------------------------------------------------------------------------------------

    def move(self, lines: int) -> None:
        """Move the cursor; on the last item, it follows."""
        last = self.shown.end - 1
        if not len(self.shown):
            self.post_message(self.Reached(up=lines < 0))
            return
        self.go_to((last if self.cursor is None else self.cursor) + lines)

    def go_to(self, number: int) -> None:
        """Put the cursor on an item and bring it into view."""
        first, last = self.shown.first, self.shown.end - 1
        if number < first:
            self._place(0)
            self.post_message(self.Reached(up=True))
        elif number > last and not self.at_end:
            self.post_message(self.Reached(up=False))
        if number >= last and self.at_end:
            self.follow()
            return
        self._set_cursor(min(max(number, first), last))
        self._show_cursor()

    def follow(self) -> None:
        """Go to the end and stay there."""
        self._set_cursor(None)
        self._place(self.max_scroll_y)

    def page(self, pages: float) -> None:
        """Scroll by pages, with the cursor."""
        if pages < 0 and self.scroll_offset.y == 0:
            self._set_cursor(self.shown.first if len(self.shown) else None)
            self.post_message(self.Reached(up=True))
        elif pages > 0 and self.scroll_offset.y >= self.max_scroll_y and not self.at_end:
            self.post_message(self.Reached(up=False))
        rows = max(int(self._height * abs(pages)), 1)
        self.scroll_to(y=self.scroll_offset.y + (rows if pages > 0 else -rows), animate=False, immediate=True)

    def to_top(self) -> None:
        """Go to the first item."""
        self._set_cursor(self.shown.first if len(self.shown) else None)
        self._place(0)

    def sideways(self, cells: int) -> None:
        """Scroll lines that are not wrapped."""
        # forced, as there is no scrollbar for it
        self.scroll_to(x=self.scroll_offset.x + cells, animate=False, immediate=True, force=True)

    def _set_cursor(self, number: int | None) -> None:
        if number != self.cursor:
            self.cursor = number
            self.refresh()
            if self._anchor is not None:
                self._select_lines()
        self.post_message(self.Moved())

    def _show_cursor(self) -> None:
        if self.cursor is None:
            return
        top = self.scroll_offset.y
        row = self.shown.row_of(self.cursor) + HEAD
        behind = self.shown.row_of(self.cursor + 1) + HEAD
        if row < top:
            self._place(row)
        elif behind > top + self._height:
            self._place(min(behind - self._height, row))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._placing or not self._columns.width or round(old_value) == round(new_value):
            return
        top = round(new_value)
        if top >= self.max_scroll_y and self.at_end:
            self._set_cursor(None)
            return
        if top >= self.max_scroll_y or top == 0:
            self.post_message(self.Reached(up=top == 0))
        # The cursor stays in view.
        first = self.shown.at_row(max(top - HEAD, 0))[0]
        last = self.shown.at_row(max(min(top - HEAD + self._height, self.shown.rows) - 1, 0))[0]
        cursor = self.shown.end - 1 if self.cursor is None else self.cursor
        self._set_cursor(min(max(cursor, first), last))

    def on_click(self, event: events.Click) -> None:
        row = self.scroll_offset.y + event.y - HEAD
        if self.text_selection is None and 0 <= row < self.shown.rows:
            number = self.shown.at_row(row)[0]
            if number < self.shown.end - 1 or not self.at_end:
                self._set_cursor(number)

    # --- selection ----------------------------------------------------------------------------------------------------

    @property
    def selecting(self) -> bool:
        """Whether lines or a piece of text are selected."""
        return self._anchor is not None or self.text_selection is not None

    @property
    def selected(self) -> range:
        if self._anchor is None:
            return range(0)
        anchor = max(self._anchor, self.shown.first)
        cursor = self.shown.end - 1 if self.cursor is None else self.cursor
        return range(min(anchor, cursor), max(anchor, cursor) + 1)

    def select_lines(self) -> None:
        """Start selecting whole lines, beginning with the one under the cursor."""
        if len(self.shown):
            self._set_cursor(self.shown.end - 1 if self.cursor is None else self.cursor)
            self._anchor = self.cursor
            self._select_lines()

    def clear_selection(self) -> None:
        self._anchor = None
        if self.is_attached and self.text_selection is not None:
            self.screen.clear_selection()
        super().clear_selection()

    def selected_text(self) -> str | None:
        """Return the selected lines or text; None if nothing is selected."""
        if self.selected:
            return "\n".join(logged(self.shown.item(number)) for number in self.selected)
        selection = self.text_selection
        return None if selection is None else self._between(selection)

    @property
    def current_item(self) -> Item | None:
        """The item under the cursor, the last one while following."""
        if not len(self.shown):
            return None
        return self.shown.item(self.shown.end - 1 if self.cursor is None else self.cursor)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text for ctrl+c (called by Textual)."""
        text = self._between(selection) if self._anchor is None else self.selected_text()
        return None if text is None else (text, "\n")

    def selection_updated(self, selection: Selection | None) -> None:
        """Update after a selection with the mouse, or its end (called by Textual)."""
        if selection is None or selection != SELECT_ALL:
            self._anchor = None
        self._redraw()
        self.post_message(self.Moved())

    def _select_lines(self) -> None:
        # So Textual knows that there is a selection for ctrl+c.
        self.screen.selections = {self: SELECT_ALL}
        self._redraw()

    def _between(self, selection: Selection) -> str:
        last = self.shown.rows + HEAD - 1
        first = selection.start.y if selection.start is not None else HEAD
        last = min(last, selection.end.y) if selection.end is not None else last
        pieces: list[str] = []
        for y in range(max(first, HEAD), last + 1):
            number, part = self.shown.at_row(y - HEAD)
            row = self._row(number, part)
            text = row.strip.text[: row.characters]
            start, end = selection.get_span(y) or (0, 0)
            piece = text[start:] if end < 0 else text[start:end]
            # The rows of a wrapped line are one line.
            if part and pieces:
                pieces[-1] += piece[self._columns.indent(self.shown.item(number)) :] if start == 0 else piece
            else:
                pieces.append(piece)
        return "\n".join(pieces)
