"""A scroll view that is drawn by line, and whose number of rows changes often."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView


class LineView(ScrollView):
    """Gets more or fewer rows without a new layout of the screen, which would draw all that is on it."""

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
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = height
