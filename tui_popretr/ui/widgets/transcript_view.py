"""The lines of the transcript: scrolling, the cursor, following the end, selection. Drawn by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region
from textual.message import Message
from textual.selection import SELECT_ALL, Selection
from textual.strip import Strip

from tui_popretr.facts import DialogueLine
from tui_popretr.logs.items import Item, SearchPattern, logged
from tui_popretr.ui.model.cells import cut, width
from tui_popretr.ui.model.line_index import LineIndex
from tui_popretr.ui.widgets.focus import FocusAtOnce
from tui_popretr.ui.widgets.lineview import LineView
from tui_popretr.ui.widgets.styled import DIM, PLAIN, based
from tui_popretr.ui.widgets.transcript_rows import Columns, Row, draw, fitted, reversed_between

#: The row above the first item, with a text on what was before it.
HEAD = 1
_LABEL_MOST = 20
_MARK = Style(bold=True, reverse=True)


class TranscriptView(FocusAtOnce, LineView, can_focus=True, inherit_bindings=False):
    """Shows items. While the cursor is on the last item, it follows: new ones come into view."""

    DEFAULT_CSS = """
    TranscriptView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    class Reached(Message):
        """The user wants to go on beyond the first item (`up`) or the last."""

        def __init__(self, *, up: bool) -> None:
            super().__init__()
            self.up = up

    class Moved(Message):
        """Cursor, following or selection have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = LineIndex()
        #: The number of the item under the cursor; None while following.
        self.cursor: int | None = None
        #: Whether the last item is the last of the dialogue.
        self.at_end = True
        self._columns = Columns(0)
        self._labels = False
        self._head = ""
        self._unseen = 0
        self._widest = 0
        self._anchor: int | None = None
        self._rows: LRUCache[tuple[int, int, bool, bool], Row] = LRUCache(2000)
        self._painting = False
        self._base = Style.null()
        self._placing = False

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether new items come into view."""
        return self.cursor is None

    @property
    def selecting(self) -> bool:
        """Whether lines or a piece of text are selected."""
        return self._anchor is not None or self.text_selection is not None

    @property
    def columns(self) -> Columns:
        """How rows are laid out."""
        return self._columns

    def show(self, items: Iterable[Item], *, labels: bool) -> None:
        """Show these items, from their end on; `labels`: with the session before each line."""
        pattern = self.shown.pattern
        # _lay_out measures them, when their width is known
        self.shown = LineIndex(items)
        self.shown.search(pattern)
        self._labels = labels
        self.cursor = None
        self.at_end = True
        self._unseen = 0
        self.clear_selection()
        self._lay_out()

    def extend(self, items: Sequence[Item], keep: int) -> None:
        """Add items at the end and remove the first while there are more than `keep`."""
        following = self.following
        self.shown.append(items)
        self._note_width(items)
        rows = self.shown.drop_first(len(self.shown) - keep)
        if self.cursor is not None:
            self.cursor = max(self.cursor, self.shown.first)
        self._resize(0 if following else -rows)
        if following:
            self.refresh()

    def prepend(self, items: Sequence[Item]) -> None:
        """Add items before the first; the rows in view keep their place."""
        if self.cursor is None and len(self.shown):
            self.cursor = self.shown.end - 1
        rows = self.shown.prepend(items)
        self._note_width(items)
        self._resize(rows)
        self.refresh()

    def drop_last(self, count: int) -> None:
        """Remove the last items, which are not in view. The last item is then no longer the last of the dialogue."""
        self.shown.drop_last(count)
        self.at_end = False
        if self.cursor is None or self.cursor >= self.shown.end:
            self.cursor = self.shown.end - 1
        self._resize(0)

    def set_head(self, text: str) -> None:
        """Set the text above the first item."""
        if text != self._head:
            self._head = text
            self.refresh_lines(0)

    def set_unseen(self, count: int) -> None:
        """Set the number of lines that arrived below those in view."""
        if count != self._unseen:
            self._unseen = count
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))

    def search(self, pattern: SearchPattern | None) -> None:
        """Search `pattern` and highlight it; None ends the search."""
        self.shown.search(pattern)
        self._redraw()

    def set_layout(self, *, wrap: bool, stamps: bool) -> None:
        """Wrap long lines or not, show times or not."""
        self.clear_selection()
        self._columns = Columns(self._columns.width, wrap, stamps, self._columns.label)
        self._lay_out()

    # --- layout -------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - the handler's signature
        if self.scrollable_content_region.width != self._columns.width:
            self._lay_out()
        elif self.following:
            self._place(self.max_scroll_y)

    def _lay_out(self) -> None:
        """Measure all items, and show the same part of them."""
        top = max(self.scroll_offset.y - HEAD, 0)
        number = self.shown.at_row(top)[0] if top < self.shown.rows else self.shown.end
        old = self._columns
        size = self.scrollable_content_region.width
        self._columns = Columns(size, old.wrap, old.stamps, self._label_width(self.shown.items, 0, size))
        self.shown.set_measure(self._columns.measure())
        self._widest = 0
        self._note_width(self.shown.items)
        self._resize(None)
        self._place(self.max_scroll_y if self.following else self.shown.row_of(number) + HEAD)
        self.scroll_to(x=0, animate=False, immediate=True, force=True)
        self._redraw()

    def _label_width(self, items: Iterable[Item], least: int, size: int) -> int:
        if not self._labels:
            return 0
        most = min(_LABEL_MOST, size // 4)
        if least >= most:
            return most
        sessions = [item.session for item in items if isinstance(item, DialogueLine)]
        if not sessions:
            return min(least, most)
        # the widest id and the widest number, maybe of different sessions
        longest = max(len(each.client) for each in sessions) + 1 + len(str(max(each.run for each in sessions)))
        return min(max(least, longest), most)

    def _note_width(self, items: Sequence[Item]) -> None:
        """Adapt the layout to new items that are wider than all others."""
        label = self._label_width(items, self._columns.label, self._columns.width)
        if label > self._columns.label:
            old = self._columns
            self._columns = Columns(old.width, old.wrap, old.stamps, label)
            self.shown.set_measure(self._columns.measure())
            self._rows.clear()
            self.refresh()
        if not self._columns.wrap:
            self._widest = max(self._widest, max(map(self._columns.cells, items), default=0))

    def _resize(self, shift: int | None) -> None:
        """Update the number of rows, of which `shift` were added before those in view."""
        self.set_extent(max(self._widest, 1) if not self._columns.wrap else 1, self.shown.rows + HEAD)
        if shift is not None:
            self._place(self.max_scroll_y if self.following else self.scroll_offset.y + shift)

    def _place(self, y: int) -> None:
        """Scroll without moving the cursor."""
        self._placing = True
        try:
            self.scroll_to(y=y, animate=False, immediate=True)
        finally:
            self._placing = False

    def _redraw(self) -> None:
        self._rows.clear()
        self.refresh()

    # --- moving -------------------------------------------------------------------------------------------------------

    @property
    def _height(self) -> int:
        return max(self.scrollable_content_region.height, 1)

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

    def select_lines(self) -> None:
        """Start selecting whole lines, beginning with the one under the cursor."""
        if len(self.shown):
            self._set_cursor(self.shown.end - 1 if self.cursor is None else self.cursor)
            self._anchor = self.cursor
            self._select_lines()

    def clear_selection(self) -> None:
        """Select nothing."""
        self._anchor = None
        if self.is_attached and self.text_selection is not None:
            self.screen.clear_selection()
        self._redraw()

    def selected_text(self) -> str | None:
        """Return the selected lines or text; None if nothing is selected."""
        if self._anchor is not None:
            first, last = self._selected_numbers()
            return "\n".join(logged(self.shown.item(number)) for number in range(first, last + 1))
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

    def _selected_numbers(self) -> tuple[int, int]:
        assert self._anchor is not None
        anchor = max(self._anchor, self.shown.first)
        cursor = self.shown.end - 1 if self.cursor is None else self.cursor
        return min(anchor, cursor), max(anchor, cursor)

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

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _row(self, number: int, part: int) -> Row:
        cursor = number == self.cursor
        selected = False
        if self._anchor is not None:
            first, last = self._selected_numbers()
            selected = first <= number <= last
        key = (number, part, cursor, selected)
        row = self._rows.get(key)
        if row is None:
            item = self.shown.item(number)
            row = draw(item, part, self._columns, self.shown.pattern, cursor=cursor, selected=selected)
            self._rows[key] = row
        return row

    def render_lines(self, crop: Region) -> list[Strip]:
        self._painting = True
        self._base = self.rich_style  # once: Textual computes it each time
        try:
            return super().render_lines(crop)
        finally:
            self._painting = False

    def render_line(self, y: int) -> Strip:
        scroll_x, scroll_y = self.scroll_offset
        size = self.scrollable_content_region.width
        row = scroll_y + y - HEAD
        if row < 0:
            return based(Strip([Segment(cut(f" {self._head}", size), DIM)], size), self._base)
        if row >= self.shown.rows:
            return based(Strip([Segment(" " * size, PLAIN)], size), self._base)
        drawn = self._row(*self.shown.at_row(row))
        selection = self.text_selection
        if selection is not None and self._anchor is None and (span := selection.get_span(row + HEAD)) is not None:
            drawn = replace(drawn, strip=reversed_between(drawn.strip, *span))
        strip = fitted(drawn, scroll_x, size)
        if self._unseen and y == self._height - 1:
            mark = f" ▼ {self._unseen:,} new "
            strip = Strip([*strip.crop(0, size - width(mark)), Segment(mark, _MARK)], size)
        strip = based(strip, self._base)
        # Outside of painting, Textual wants to know the character under the mouse.
        return strip if self._painting else strip.apply_offsets(scroll_x, row + HEAD)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._rows.clear()
