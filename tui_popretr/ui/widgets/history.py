"""The history tab: the sessions that have ended, of this program run and of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult
from tui_popretr.status import View
from tui_popretr.text import visible
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.columns import Column
from tui_popretr.ui.model.parts import Line, Pair, Part
from tui_popretr.ui.screens.sheet import TextDialog
from tui_popretr.ui.widgets.filtered import FilteredTable
from tui_popretr.ui.widgets.styled import BAD, DIM, GOOD, PLAIN, Cell
from tui_popretr.ui.widgets.tables import same

Ended = tuple[str, SessionResult | PastSession]


class HistoryTab(FilteredTable[Ended]):
    """Newest last; of all clients, or of the selected one. Enter shows a session in full."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Whole result"),
        Binding("c,a", "toggle_all", "All/selected client"),
        *FilteredTable.BINDINGS,
    ]

    COLUMNS = (
        Column("Started", 8, 12, 4),
        Column("Client", 6, 14, 3, good=9),
        Column("Took", 7, 11, 1, right=True),
        Column("Mails", 5, 7, 1, right=True),
        Column("Size", 8, 8, 0, right=True),
        Column("Result", 24, 38, 5),
    )

    def __init__(self) -> None:
        super().__init__()
        #: The selected client: its sessions are shown unless all are.
        self.client: str | None = None
        self.all = True
        self._ended: Sequence[Ended] = ()

    def refresh_view(self, view: View) -> None:
        """Show what is new. Called at most ten times a second, while the tab is shown."""
        self.set_today(view.wall)
        if not same(self._ended, view.closed):
            self._ended = tuple(view.closed)
            self._filter()

    def show_client(self, client: str | None) -> None:
        """Set the selected client."""
        self.client = client
        if not self.all:
            self._filter()

    def action_toggle_all(self) -> None:
        """Show the sessions of all clients, or of the selected one."""
        self.all = not self.all
        self._filter()

    def _filter(self) -> None:
        self.show(self._ended if self.all else tuple(each for each in self._ended if each[0] == self.client))

    def status_words(self) -> Iterator[str]:
        if not self.all:
            yield f"only {self.client}"
        yield from super().status_words()

    def title(self, column: Column) -> str:
        if column.title == "Result" and not self.all:
            return f"Result (only {self.client})"
        return column.title

    def nothing(self) -> str:
        if self._ended:
            return f"No session of {self.client} has ended yet. c shows those of all clients."
        return "No session has ended yet. r runs the selected client now."

    def cells(self, row: Ended) -> Sequence[Cell]:
        client, session = row
        ok = session.code is ExitCode.OK
        return (
            Cell(formatting.moment(session.started, self.today), DIM),
            Cell(client),
            Cell(wording.duration((session.ended - session.started).total_seconds())),
            Cell(f"{session.messages:,}"),
            Cell(wording.size(session.octets)),
            Cell(f"{'✓' if ok else '✗'} {visible(wording.session_summary(session))}", _style(session)),
        )

    def choose(self, row: Ended) -> None:
        self.app.push_screen(ResultScreen(*row))


def _style(session: SessionResult | PastSession) -> Style:
    if session.code is not ExitCode.OK:
        return BAD
    return GOOD if session.messages else PLAIN


class ResultScreen(TextDialog):
    """How a session ended, in full."""

    def __init__(self, client: str, session: SessionResult | PastSession) -> None:
        super().__init__(f"A session of {client}")
        self._session = session

    def parts(self) -> Iterator[Part]:
        session = self._session
        yield Pair("started", f"{session.started:%Y-%m-%d %H:%M:%S}")
        yield Pair("took", wording.duration((session.ended - session.started).total_seconds()))
        yield Pair("delivered", f"{wording.plural(session.messages, 'message')}, {wording.size(session.octets)}")
        if isinstance(session, SessionResult):
            yield Pair("deleted on the server", f"{session.deleted:,}")
            if session.skipped:
                yield Pair("left by a rule", f"{session.skipped:,}")
            if session.failed:
                yield Pair("failed", f"{session.failed:,}", "bold red")
        summary = wording.session_summary(session)
        yield Pair("result", visible(summary, 4096), "" if session.code is ExitCode.OK else "bold red")
        if session.error and session.error not in summary:
            yield Line("")
            yield Line(visible(session.error, 4096))
        if isinstance(session, SessionResult) and session.advice:
            yield Line("")
            yield Line(f"→ {visible(session.advice, 4096)}", "bold")
