"""The beginning of a message that waits on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr import wording
from tui_popretr.answers import Preview, WaitingMessage
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model import mailfile
from tui_popretr.ui.model.parts import Heading, Line, Pair, Part
from tui_popretr.ui.screens.message import excerpt_parts
from tui_popretr.ui.screens.sheet import TextDialog


class PreviewScreen(TextDialog):
    """Shows that the message is being fetched, and then its beginning. Nothing is deleted or marked by it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("h", "toggle_header", "Whole header"), *TextDialog.BINDINGS]
    KEYS: ClassVar[str] = "esc back · h whole header"

    def __init__(self, client: str, message: WaitingMessage) -> None:
        super().__init__(f"{client}: message {message.number} on the server")
        self._message = message
        self._whole = False
        self._read: mailfile.Excerpt | str = "asking the server …"

    def show_preview(self, preview: Preview) -> None:
        """Show the answer of the server."""
        work.start(self, "showing a message", self._parse(preview), self.show_problem)

    async def _parse(self, preview: Preview) -> None:
        raw = preview.text.encode("utf-8", "surrogateescape")
        self._read = await asyncio.to_thread(mailfile.excerpt, "", raw, cut=preview.cut)
        self.redraw()

    def show_problem(self, why: str) -> None:
        """Show why there is no preview."""
        self._read = f"this message cannot be shown: {why}"
        self.redraw()

    def action_toggle_header(self) -> None:
        """Show all header fields, or the usual ones."""
        self._whole = not self._whole
        self.redraw()

    def parts(self) -> Iterator[Part]:
        if isinstance(self._read, str):
            yield Line(visible(self._read))
        else:
            yield from excerpt_parts(self._read, whole=self._whole)
        message = self._message
        yield Heading("On the server")
        yield Pair("number", f"{message.number:,}")
        if message.uid is not None:
            yield Pair("UID", visible(message.uid))
        yield Pair("size", f"{wording.size(message.size)} ({message.size:,} octets)")
        yield Pair("why still there", visible(message.text))
