"""Items in rows: their layout for the width of the view, and their drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region
from textual.strip import Strip

from tui_popretr.facts import DialogueLine
from tui_popretr.logs.items import Item, SearchPattern
from tui_popretr.ui.model.cells import cut, width
from tui_popretr.ui.model.line_index import LineIndex
from tui_popretr.ui.widgets.lineview import LineView
from tui_popretr.ui.widgets.styled import DIM, PLAIN, based
from tui_popretr.ui.widgets.transcript_rows import Columns, Row, draw, fitted, reversed_between

#: The row above the first item, with a text on what was before it.
HEAD: Final = 1
_LABEL_MOST: Final = 20
_MARK: Final = Style(bold=True, reverse=True)


class ItemView(LineView):
    """Shows items from the end on, or those around the cursor, and keeps its place when items come or go."""

    DEFAULT_CSS = """
    ItemView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

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
        self._rows: LRUCache[tuple[int, int, bool, bool], Row] = LRUCache(2000)
        self._painting = False
        self._base = Style.null()
        self._placing = False

    # --- for subclasses -----------------------------------------------------------------------------------------------

    @property
    def selected(self) -> range:
        """The numbers of the selected items."""
        return range(0)

    def clear_selection(self) -> None:
        """Select nothing."""
        self._redraw()

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether new items come into view."""
        return self.cursor is None

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

    @property
    def _height(self) -> int:
        return max(self.scrollable_content_region.height, 1)

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _row(self, number: int, part: int) -> Row:
        cursor = number == self.cursor
        selected = number in self.selected
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
        if selection is not None and not self.selected and (span := selection.get_span(row + HEAD)) is not None:
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
