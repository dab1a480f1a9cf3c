"""The part of the log on disk that a view of the transcript shows, before the lines in memory or instead of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tui_popretr.logs.items import Gap, Item, SearchPattern
from tui_popretr.logs.reading import Chunk, LinePosition, TranscriptFiles
from tui_popretr.ui.model.dialogue import LIMIT
from tui_popretr.ui.widgets.transcript_view import TranscriptView

#: Lines read from the disk at a time, and lines kept of these.
PIECE: Final = 2000
WINDOW: Final = 2 * LIMIT
#: The pieces of the log that one search goes through.
_SEARCHED: Final = 64
#: The first lines in memory, by which their place in the log is found.
_LOOKED_FOR: Final = 16


class LogWindow:
    """Reads in threads, and changes the view afterwards, but not after close(): it then shows something else."""

    def __init__(self, history: TranscriptFiles, view: TranscriptView, client: str | None) -> None:
        """`client`: whose lines are shown; None: those of all."""
        self._history = history
        self._view = view
        self._client = client
        self._positions: dict[int, LinePosition] = {}  # of the items from the disk, by number
        self._closed = False
        #: Whether the first item shown is the log's first.
        self.at_start = False
        #: Whether no log on disk has the lines shown.
        self.missing = not history.exists()

    def close(self) -> None:
        """Show nothing more."""
        self._closed = True

    def position(self, number: int | None) -> LinePosition | None:
        """Return where an item is on disk, by its number; None if it is only in memory."""
        return None if number is None else self._positions.get(number)

    def forget_dropped(self) -> None:
        """Forget the items that the view has dropped at its beginning."""
        self.at_start = False
        first = self._view.shown.first
        self._positions = {number: place for number, place in self._positions.items() if number >= first}

    # --- reading on ---------------------------------------------------------------------------------------------------

    async def read_older(self) -> None:
        """Show lines before the first; of those at the end, the view keeps no more than its window."""
        view, first = self._view, self._view.shown.first
        place = await self._find_first()
        if self.missing:
            return
        piece = await self._before(place)
        while not piece.lines and not piece.complete:
            piece = await self._before(piece.reached)
        if self._closed or first != view.shown.first:
            return
        view.prepend(piece.lines)
        self._positions.update(zip(range(view.shown.first, first), piece.positions, strict=True))
        self.at_start = piece.complete
        if len(view.shown) > WINDOW:
            self._drop_end()

    async def _find_first(self) -> LinePosition | None:
        """Return the position on disk of the first item shown; None if it is not on disk, or no item is shown."""
        shown = self._view.shown
        place = self._positions.get(shown.first)
        if place is not None or not len(shown):
            return place
        items: list[Item] = []
        for item in shown.items[:_LOOKED_FOR]:
            if isinstance(item, Gap):
                if items:
                    break
                continue
            items.append(item)
        place = await asyncio.to_thread(self._history.find, items, self._client)
        self.missing = place is None
        return place

    def _drop_end(self) -> None:
        """Drop lines beyond the window, and live lines below a gap between disk and memory."""
        shown = self._view.shown
        live = next((number for number in range(shown.first, shown.end) if number not in self._positions), shown.end)
        end = min(shown.first + WINDOW, live)
        for number in range(end, shown.end):
            self._positions.pop(number, None)
        self._view.drop_last(shown.end - end)

    async def read_newer(self) -> bool:
        """Show lines after the last; return whether there are none, so that the live dialogue comes next."""
        view = self._view
        last = view.shown.end - 1
        piece = await self._after(self._positions.get(last))
        while not piece.lines and not piece.complete:
            piece = await self._after(piece.reached)
        if self._closed or last != view.shown.end - 1 or view.at_end:
            return False
        self._positions.update(zip(range(last + 1, last + 1 + len(piece.lines)), piece.positions, strict=True))
        first = view.shown.first
        view.extend(piece.lines, WINDOW)
        if view.shown.first != first:
            self.forget_dropped()
        return piece.complete and not piece.lines

    # --- elsewhere ----------------------------------------------------------------------------------------------------

    async def show_beginning(self) -> None:
        """Show the first lines of the log."""
        await self._show([], [], after=None, complete=True)
        if not self._closed:
            self._view.to_top()

    async def show_around(self, place: LinePosition) -> None:
        """Show the lines around a position, with the cursor on it."""
        before = await self._before(place, PIECE // 4)
        after = LinePosition(place.path, place.start, place.start)
        await self._show(before.lines, before.positions, after=after, complete=before.complete)

    async def _show(
        self, lines: Sequence[Item], positions: Sequence[LinePosition], *, after: LinePosition | None, complete: bool
    ) -> None:
        """Show lines, and those after a position."""
        piece = await self._after(after)
        if self._closed:
            return
        view = self._view
        view.show([*lines, *piece.lines], labels=self._client is None)
        view.at_end = False
        self._positions = dict(enumerate([*positions, *piece.positions], view.shown.first))
        self.at_start = complete
        if len(view.shown):
            view.go_to(view.shown.first + len(lines))

    async def search_older(self, pattern: SearchPattern) -> bool:
        """Show the last match before the lines shown; return False if there is none, and nothing else is shown now."""
        place = await self._find_first()
        for _ in range(_SEARCHED):
            if self.missing or self._closed or self._view.shown.pattern is not pattern:
                return True
            piece = await asyncio.to_thread(self._history.before, place, 1, self._client, pattern)
            if piece.positions:
                await self.show_around(piece.positions[0])
                return True
            if piece.complete:
                break
            place = piece.reached
        return False

    async def _before(self, place: LinePosition | None, count: int | None = None) -> Chunk:
        return await asyncio.to_thread(self._history.before, place, count or PIECE, self._client)

    async def _after(self, place: LinePosition | None) -> Chunk:
        return await asyncio.to_thread(self._history.after, place, PIECE, self._client)
