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
from tui_popretr.ui.widgets.styled import BAD, DIM, PLAIN, Cell
from tui_popretr.ui.widgets.tables import Table, same

Mail = tuple[datetime, MessageDelivered | MessageSkipped]


class MessagesTab(Table[Mail]):
    """Newest last; enter reads the message."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Read"), *Table.BINDINGS]

    COLUMNS = (
        Column("Time", 8, 12, 4),
        Column("Client", 6, 16, 3),
        Column("From", 12, 28, 5),
        Column("Size", 8, 8, 1, right=True),
        Column("To", 10, 32, 2),
    )
    EMPTY = "No messages yet. Each one that is delivered is listed here with its destination; enter reads it."

    def refresh_view(self, view: View) -> None:
        """Show what is new. Called at most ten times a second, while the tab is shown."""
        mails = view.mails
        self.set_today(view.wall)
        if not same(self.rows, mails):
            self.set_rows(tuple(mails))

    def cells(self, row: Mail) -> Sequence[Cell]:
        at, mail = row
        when = Cell(formatting.moment(at, self.today), DIM)
        client, size = Cell(mail.session.client), Cell(wording.size(mail.octets))
        if isinstance(mail, MessageDelivered):
            return when, client, Cell(visible(mail.sender or "")), size, Cell(visible(mail.destination))
        style = BAD if mail.failure else PLAIN
        word = "✗ failed" if mail.failure else "- left there"
        return (
            when,
            client,
            Cell(f"{word}: {visible(mail.reason)}", style),
            size,
            Cell(message_name(mail.number, mail.uid), DIM),
        )

    def choose(self, row: Mail) -> None:
        self.app.push_screen(MessageScreen(*row))
