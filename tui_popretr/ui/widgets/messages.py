"""The messages tab: messages delivered, with destination, and messages left on the server, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui_popretr import wording
from tui_popretr.facts import MessageDelivered, MessageSkipped
from tui_popretr.logs.lines import message_name
from tui_popretr.status import View
from tui_popretr.text import visible
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.columns import Column
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.styled import BAD, DIM, PLAIN, Cell
from tui_popretr.ui.widgets.tables import same

Mail = tuple[datetime, MessageDelivered | MessageSkipped]


class MessagesTab(FilteredTable[Mail]):
    """Newest last; enter reads the message."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Read"), *FilteredTable.BINDINGS]

    COLUMNS = (
        Column("Time", 8, 12, 5),
        Column("Client", 6, 14, 3, good=9),
        Column("From", 12, 26, 4, good=16),
        Column("Subject", 14, 60, 6, good=20),
        Column("Size", 7, 8, 1, right=True),
        Column("Where", 8, 32, 2, good=12),
    )

    def __init__(self) -> None:
        super().__init__()
        self._nothing = ""

    def refresh_view(self, view: View) -> None:
        """Show what is new. Called at most ten times a second, while the tab is shown."""
        mails = view.mails
        self.set_today(view.wall)
        if len(mails) != self.matches[1] or not same(self._all, mails):
            self.show(tuple(mails))
        elif not mails and (nothing := _nothing_yet(view)) != self._nothing:
            self._nothing = nothing
            self.draw_empty()

    def nothing(self) -> str:
        return self._nothing

    def cells(self, row: Mail) -> Sequence[Cell]:
        at, mail = row
        when = Cell(formatting.moment(at, self.today), DIM)
        client, size = Cell(mail.session.client), Cell(wording.size(mail.octets))
        if isinstance(mail, MessageDelivered):
            subject = Cell(visible(mail.subject)) if mail.subject else Cell("(no subject)", DIM)
            return (
                when,
                client,
                Cell(visible(_author(mail))),
                subject,
                size,
                Cell(visible(formatting.place(mail.destination)), DIM),
            )
        style = BAD if mail.failure else PLAIN
        word = "✗ failed" if mail.failure else "- left there"
        name = message_name(mail.number, mail.uid)
        return when, client, Cell(word, style), Cell(visible(mail.reason), style), size, Cell(name, DIM)

    def text_of(self, row: Mail) -> str:
        mail = row[1]
        if isinstance(mail, MessageDelivered):
            about = f"{mail.name or ''} {mail.sender or ''} {mail.subject or ''} {mail.destination}"
        else:
            about = f"{'failed' if mail.failure else 'left'} {mail.reason}"
        return f"{mail.session.client} {about} {mail.uid or ''}"

    def choose(self, row: Mail) -> None:
        self.app.push_screen(MessageScreen(*row))


def _author(mail: MessageDelivered) -> str:
    return mail.name or mail.sender or ""


def _nothing_yet(view: View) -> str:
    """Return the text of a list without messages, with what comes next."""
    due = [client.due for client in view.clients.values() if client.due is not None]
    if view.running:
        return "No mail yet: a session runs."
    if not due:
        return "No mail yet, and no session is planned. r runs the selected client now."
    return (
        f"No mail yet: the next session in {formatting.countdown(min(due) - view.now)}. r runs the selected client now."
    )
