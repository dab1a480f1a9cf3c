"""A message of the messages tab: its delivery, its header, and the beginning of its text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from tui_popretr import wording
from tui_popretr.facts import MessageDelivered, MessageSkipped
from tui_popretr.text import visible
from tui_popretr.ui import work
from tui_popretr.ui.model import mailfile
from tui_popretr.ui.model.parts import Heading, Line, Pair, Part
from tui_popretr.ui.screens.sheet import TextDialog

#: The fields shown at first.
_USUAL: Final = ("from", "to", "cc", "reply-to", "date", "subject")


class MessageScreen(TextDialog):
    """Reads the message's file in a thread and shows its beginning."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("h", "toggle_header", "Whole header"), *TextDialog.BINDINGS]
    KEYS: ClassVar[str] = "esc back · h whole header"

    def __init__(self, at: datetime, mail: MessageDelivered | MessageSkipped) -> None:
        super().__init__(f"{mail.session.client}: message {mail.number}")
        self._at = at
        self._mail = mail
        self._whole = False
        self._read: mailfile.Excerpt | str = "reading …"

    def on_mount(self) -> None:
        if isinstance(self._mail, MessageSkipped):
            self._read = ""
        elif self._mail.path is None:
            self._read = "It was handed on: there is no file to show."
        else:
            work.start(self, "showing a message", self._read_file(self._mail.path), self._failed)
        super().on_mount()

    async def _read_file(self, path: str) -> None:
        try:
            self._show(await asyncio.to_thread(mailfile.read, path))
        except mailfile.MessageGone as problem:
            self._show(str(problem))

    def _failed(self, why: str) -> None:
        self._show(f"this message cannot be shown: {why}")

    def _show(self, read: mailfile.Excerpt | str) -> None:
        self._read = read
        self.redraw()

    def action_toggle_header(self) -> None:
        """Show all header fields, or the usual ones."""
        self._whole = not self._whole
        self.redraw()

    def parts(self) -> Iterator[Part]:
        read = self._read
        if isinstance(read, str):
            yield from self._known()
            if isinstance(self._mail, MessageDelivered) and self._mail.path is not None:
                yield Pair("file", visible(self._mail.path))
            yield Line("")
            yield Line(read)
            return
        yield from excerpt_parts(read, whole=self._whole)
        yield Heading("Delivery")
        yield from self._known()

    def _known(self) -> Iterator[Part]:
        """Yield the facts about the message."""
        mail = self._mail
        yield Pair("time", f"{self._at:%Y-%m-%d %H:%M:%S}")
        yield Pair("session", str(mail.session))
        yield Pair("size", f"{wording.size(mail.octets)} ({mail.octets:,} octets)")
        if mail.uid is not None:
            yield Pair("UID", visible(mail.uid))
        if isinstance(mail, MessageSkipped):
            yield Pair("result", "failed, still on the server" if mail.failure else "left on the server by a rule")
            yield Pair("reason", visible(mail.reason), "bold")
            return
        yield Pair("delivered to", visible(mail.destination))
        if mail.sender:
            yield Pair("sender", visible(mail.sender))
        if mail.subject:
            yield Pair("subject", visible(mail.subject))


def excerpt_parts(read: mailfile.Excerpt, *, whole: bool) -> Iterator[Part]:
    """Yield the beginning of a message: its usual header fields, or with `whole` all, and its text."""
    for name, value in read.header:
        if whole or name.lower() in _USUAL:
            yield Pair(name, value, "bold" if name.lower() == "subject" else "")
    if read.path:
        yield Pair("File", read.path, "dim")
    yield Line("")
    for line in read.lines:
        yield Line(line)
    if read.problem:
        yield Line(read.problem, "red")
    if read.note:
        yield Line(f"({read.note})", "dim")
