"""The tab "On server": what waits in the maildrop of the selected client, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message

from tui_popretr import wording
from tui_popretr.answers import WaitingMail, WaitingMessage, WaitingReason
from tui_popretr.status import View
from tui_popretr.text import visible
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.columns import Column
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.styled import ACTIVE, BAD, DIM, PLAIN, WARN, Cell

_STYLES: Final[dict[WaitingReason, Style]] = {
    WaitingReason.TOO_LARGE: WARN,
    WaitingReason.FAILED: BAD,
    WaitingReason.KEPT: WARN,
    WaitingReason.SKIPPED: DIM,
    WaitingReason.SEEN: DIM,
    WaitingReason.PRESERVED: DIM,
}

#: The number of messages that are named before they are deleted.
_NAMED: Final = 8


@dataclass(slots=True)
class _Listing:
    """What is known of a client's mail."""

    mail: WaitingMail | None = None
    asked: bool = False
    problem: str = ""


class ServerTab(FilteredTable[WaitingMessage], inherit_bindings=False):
    """Newest first, listed on demand. Actions are for the marked messages, else for the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "list", "List", key_display="L"),
        Binding("F", "act('fetch')", "Fetch", key_display="F"),
        Binding("D", "act('delete')", "Delete", key_display="D"),
        Binding("S", "act('skip')", "Skip", key_display="S"),
        Binding("enter", "choose", "Preview"),
        Binding("space", "mark", "Mark"),
        Binding("o", "order", "Largest first, or newest", show=False),
        *FilteredTable.BINDINGS,
    ]
    COLUMNS = (
        Column("No.", 6, 7, 4, right=True),
        Column("Size", 8, 9, 5, right=True),
        Column("From", 10, 26, 3, good=14),
        Column("Subject", 12, 36, 6, good=18),
        Column("Date", 12, 12, 1),
        Column("Why", 12, 60, 2, good=20),
    )
    FOLLOWS = False
    TITLED = True

    class ListWanted(Message):
        """The user wants a client's mail listed."""

        def __init__(self, tab: ServerTab, client: str) -> None:
            super().__init__()
            self.tab = tab
            self.client = client

    class Wanted(Message):
        """The user wants something done with messages: "preview", "fetch", "delete" or "skip"."""

        def __init__(self, tab: ServerTab, action: str, client: str, messages: tuple[WaitingMessage, ...]) -> None:
            super().__init__()
            self.tab = tab
            self.action = action
            self.client = client
            self.messages = messages

    def __init__(self) -> None:
        super().__init__()
        #: The selected client.
        self.client: str | None = None
        self._listings: dict[str, _Listing] = {}
        self._marked: set[int] = set()
        self._largest = False

    def on_focus(self) -> None:
        self.draw_empty()

    def on_blur(self) -> None:
        self.draw_empty()

    # --- what is shown ------------------------------------------------------------------------------------------------

    def refresh_view(self, view: View) -> None:
        """Called at most ten times a second, while the tab is shown."""
        self.set_today(view.wall)

    def show_client(self, client: str | None) -> None:
        """Show the maildrop of another client, as it was listed last."""
        self.client = client
        self._marked.clear()
        self._show()

    def set_mail(self, mail: WaitingMail) -> None:
        """Show what waits on a client's server."""
        self._listings[mail.client] = _Listing(mail)
        if mail.client == self.client:
            self._marked.clear()
            self._show()

    def set_problem(self, client: str, text: str) -> None:
        """Show why a client's maildrop could not be listed."""
        listing = self._listings.setdefault(client, _Listing())
        listing.asked, listing.problem = False, text
        self._show()

    def _show(self) -> None:
        mail = self._listing.mail
        messages = mail.messages if mail is not None else ()
        self.show(sorted(messages, key=lambda each: -each.size) if self._largest else messages)
        self.refresh()
        self.note_status()

    @property
    def _listing(self) -> _Listing:
        return self._listings.get(self.client or "", _Listing())

    def nothing(self) -> str:
        listing = self._listing
        if self.client is None:
            return "No client is selected."
        if listing.asked:
            return f"Asking the server of {self.client} …"
        key = "L" if self.has_focus else "Tab, then L,"
        if listing.problem:
            return f"The maildrop of {self.client} cannot be listed: {listing.problem}. {key} tries again."
        if listing.mail is not None:
            return f"Nothing waits on the server of {self.client}. {key} asks again."
        return f"{key} lists what waits on the server of {self.client}, in a session of its own, and retrieves nothing."

    def status_words(self) -> Iterator[str]:
        listing = self._listing
        if self.client is not None:
            yield self.client
        if self._largest:
            yield "largest first"
        if self._marked:
            yield f"{len(self._marked):,} marked"
        if listing.asked and listing.mail is not None:
            yield "asking the server …"
        elif listing.problem and listing.mail is not None:
            yield f"the list of {listing.mail.at:%H:%M}"
            yield listing.problem
        elif (mail := listing.mail) is not None:
            shown = len(mail.messages)
            count = wording.plural(mail.count, "message")
            latest = f"latest {shown:,} of " if shown < mail.count else ""
            yield f"{latest}{count}, {wording.size(mail.octets)}, at {mail.at:%H:%M}"
            if mail.remark:
                yield mail.remark
        yield from super().status_words()

    def cells(self, row: WaitingMessage) -> Sequence[Cell]:
        marked = row.number in self._marked
        style = ACTIVE if marked else PLAIN
        return (
            Cell(f"{'*' if marked else ''}{row.number}", style),
            Cell(wording.size(row.size), style),
            Cell(visible(row.name or row.sender), style),
            Cell(visible(row.subject), style) if row.subject else Cell("(no subject)", DIM),
            Cell(formatting.header_date(row.date, self.today), DIM),
            Cell(visible(row.text), _STYLES.get(row.reason, PLAIN)),
        )

    def find(self, rows: Sequence[WaitingMessage], row: WaitingMessage, near: int) -> int:
        """Return the index of the same message in another list; `near` if it is gone."""
        wanted = _identity(row)
        return next((index for index, each in enumerate(rows) if _identity(each) == wanted), near)

    def text_of(self, row: WaitingMessage) -> str:
        return f"{row.number} {wording.size(row.size)} {row.name} {row.sender} {row.subject} {row.text} {row.uid or ''}"

    # --- actions ------------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[WaitingMessage, ...]:
        """The marked messages that are shown, the newest first, else the one under the cursor."""
        marked = [each for each in self.rows if each.number in self._marked]
        if marked:
            return tuple(sorted(marked, key=lambda each: -each.number))
        return (self.rows[self.cursor],) if self.rows else ()

    def action_list(self) -> None:
        """Ask the server."""
        if self.client is not None:
            self.list_again(self.client)

    def list_again(self, client: str) -> None:
        """Ask the server of a client; what was listed before stays in view."""
        listing = self._listings.setdefault(client, _Listing())
        listing.asked, listing.problem = True, ""
        self._show()
        self.post_message(self.ListWanted(self, client))

    def action_order(self) -> None:
        """Show the largest messages first, or the newest."""
        self._largest = not self._largest
        self._show()
        self.action_edge(-1)

    def action_mark(self) -> None:
        """Mark the message, or remove its mark, and go on to the next one."""
        if self.rows:
            self._marked ^= {self.rows[self.cursor].number}
            self.draw_rows((self.cursor,))
            self.move_to(self.cursor + 1)
            self.note_status()

    def action_act(self, name: str) -> None:
        """Ask for an action on the chosen messages."""
        if self.client is not None and self.chosen:
            self.post_message(self.Wanted(self, name, self.client, self.chosen))

    def choose(self, row: WaitingMessage) -> None:
        if self.client is not None:
            self.post_message(self.Wanted(self, "preview", self.client, (row,)))


def _identity(message: WaitingMessage) -> tuple[str | None, int, int]:
    """Return what tells a message from others in another list: its UID, without one its number and size."""
    return (message.uid, 0, 0) if message.uid is not None else (None, message.number, message.size)


def describe(client: str, messages: Sequence[WaitingMessage]) -> tuple[str, str]:
    """Return the question before deleting messages: what is deleted, and its details."""
    if len(messages) == 1:
        (only,) = messages
        details = f" of {client}, {wording.size(only.size)}\nfrom {visible(only.name or only.sender) or 'unknown'}"
        return f"Message {only.number}", f"{details}\n{visible(only.subject) or '(no subject)'}"
    lines = [f"{each.number}  {visible(each.subject, 60) or '(no subject)'}" for each in messages[:_NAMED]]
    if len(messages) > _NAMED:
        lines.append(f"and {len(messages) - _NAMED} more")
    octets = sum(each.size for each in messages)
    return wording.plural(len(messages), "message"), "\n".join([f" of {client}, {wording.size(octets)}", *lines])
