"""A scroll view that is drawn by line, and whose number of rows changes often."""

from __future__ import annotations

from math import ceil

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar


class LineView(ScrollView):
    """Gets more or fewer rows without a new layout of the screen, which would draw all that is on it."""

    _thumb = 0, 0

    def set_extent(self, width: int, height: int) -> None:
        """Set the size of the content in cells and rows. The caller then scrolls to where it wants to be.

        The screen is only laid out if the scroll bar comes or goes.
        """
        size = Size(width, height)
        if size == self.virtual_size:
            return
        if self.styles.overflow_y == "auto" and (height > self.container_size.height) != self.show_vertical_scrollbar:
            self.virtual_size = size
            return
        self.set_reactive(ScrollView.virtual_size, size)
        self._move_thumb()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._move_thumb()
        if round(old_value) != round(new_value):
            self.refresh(self.size.region)

    def _move_thumb(self) -> None:
        """Have those cells of the scroll bar drawn that look different now; at the end of a long list it is none."""
        if not self.show_vertical_scrollbar:
            return
        bar = self.vertical_scrollbar
        bar.set_reactive(ScrollBar.window_virtual_size, self.virtual_size.height)
        bar.set_reactive(ScrollBar.position, self.scroll_y)
        before, self._thumb = self._thumb, _thumb(bar.size.height, self.container_size.height, bar)
        for edges in zip(before, self._thumb, strict=True):
            first, last = min(edges) // 8, max(edges) // 8
            if edges[0] != edges[1]:
                bar.refresh(Region(0, first, bar.size.width, last - first + 1))


def _thumb(length: int, window: int, bar: ScrollBar) -> tuple[int, int]:
    """Return the edges of the thumb, in eighths of a cell, as Textual draws it."""
    content = max(bar.window_virtual_size, 1)
    size = max(1, length * window / content)
    start = int((length - size) * bar.position / max(1, content - window) * 8)
    return start, start + ceil(size * 8)
