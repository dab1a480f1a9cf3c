"""The statistics tab: messages or octets per day, hour or week, as bars with a scale, and the medians of sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_popretr.answers import Statistics
from tui_popretr.status import View
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import fitted, sanitize
from tui_popretr.ui.model.statistics import Chart, Measure, Period, chart, columns, labels, mark_lines, medians
from tui_popretr.ui.widgets.focus import FocusAtOnce
from tui_popretr.ui.widgets.frame import StatusChanged
from tui_popretr.ui.widgets.styled import ACCENT, BAD, BOLD, DIM, Cell, line
from tui_popretr.wording import plural

#: The cells before the bars, for the labels of the scale.
_SCALE: Final = 9
#: The lines that are no bars: title, axis, marks of failures, times, blank, summary.
_AROUND: Final = 6
_LEAST: Final = 3
#: A bar is at most this wide.
_WIDEST: Final = 4
#: The least seconds between two questions to the journal.
ASK: Final = 1.0


class StatisticsTab(FocusAtOnce, Widget, can_focus=True):
    """Of all clients, or of the selected one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "period", "Days/hours/weeks"),
        Binding("m", "measure", "Messages/size"),
        Binding("c,a", "toggle_all", "All/selected client"),
    ]
    DEFAULT_CSS = "StatisticsTab { height: 1fr; }"

    class Wanted(Message):
        """The statistics of a client are wanted, of all with None; set_statistics() takes them."""

        def __init__(self, tab: StatisticsTab, client: str | None) -> None:
            super().__init__()
            self.tab = tab
            self.client = client

    def __init__(self) -> None:
        super().__init__()
        self.period = Period.DAYS
        self.measure = Measure.MESSAGES
        self.all = True
        #: The selected client.
        self.client: str | None = None
        self._statistics: Statistics | None = None
        self._problem = ""
        self._wall: datetime | None = None
        self._latest: object = None
        self._asked = 0.0  # seconds of boottime
        self._lines: Sequence[Sequence[Cell]] = ()

    def on_mount(self) -> None:
        self.ask()

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def subject(self) -> str | None:
        """The client that is shown; None: all."""
        return None if self.all else self.client

    def ask(self) -> None:
        """Ask for the statistics of the client shown."""
        self.post_message(self.Wanted(self, self.subject))

    def set_statistics(self, statistics: Statistics) -> None:
        """Show these, unless another client is shown by now."""
        if statistics.client == self.subject:
            self._statistics, self._problem = statistics, ""
            self._draw()

    def set_problem(self, text: str) -> None:
        """Show why there are none."""
        self._problem = text
        self._draw()

    def refresh_view(self, view: View) -> None:
        """Ask again after a session has ended, at most once a second; draw again in another hour."""
        latest = view.closed[-1] if view.closed else None
        if latest is not self._latest and view.now >= self._asked + ASK:
            self._latest, self._asked = latest, view.now
            self.ask()
        hour = view.wall.replace(minute=0, second=0, microsecond=0)
        if hour != self._wall:
            self._wall = hour
            self._draw()

    def show_client(self, client: str | None) -> None:
        """Set the selected client."""
        self.client = client
        if not self.all:
            self._restart()

    def _restart(self) -> None:
        self._statistics = None
        self.ask()
        self._draw()

    @property
    def status(self) -> str:
        """What the frame shows of the state."""
        subject = "all clients" if self.subject is None else self.subject
        return formatting.join((subject, f"{self.measure.value} {self.period.title}"))

    # --- actions ------------------------------------------------------------------------------------------------------

    def action_period(self) -> None:
        """Show days, hours or weeks."""
        self.period = self.period.following
        self._draw()

    def action_measure(self) -> None:
        """Show messages or octets."""
        self.measure = Measure.OCTETS if self.measure is Measure.MESSAGES else Measure.MESSAGES
        self._draw()

    def action_toggle_all(self) -> None:
        """Show all clients, or the selected one."""
        self.all = not self.all
        self._restart()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.is_attached:
            return
        lines = list(self._contents(*self.size))
        if lines != self._lines:
            self._lines = lines
            self.refresh()
        self.post_message(StatusChanged())

    def render_line(self, y: int) -> Strip:
        cells = self._lines[y] if y < len(self._lines) else ()
        return line(cells, self.size.width, self.rich_style)

    def _contents(self, width: int, height: int) -> Iterator[Sequence[Cell]]:
        subject = "all clients" if self.subject is None else sanitize(self.subject)
        yield (Cell(f" {self.measure.value.capitalize()} {self.period.title}, {subject}", BOLD),)
        if self._problem or self._statistics is None or self._wall is None:
            yield ()
            yield from _wrapped(self._problem or "Reading the journal …", width)
            return
        shown = chart(self._statistics, self.period, self.measure, self._wall)
        if shown.empty:
            yield ()
            yield from _wrapped("No session has ended in this time. v shows another one; r runs a client now.", width)
            return
        if height - _AROUND >= _LEAST and width > _SCALE + 2:
            yield from _bars(shown, width - _SCALE - 1, height - _AROUND)
        yield ()
        yield (Cell(f" {_summary(shown, self._statistics)}"),)


def _wrapped(text: str, width: int) -> Iterator[Sequence[Cell]]:
    for each in formatting.wrap(text, max(2, width - 2)):
        yield (Cell(f" {each}", DIM),)


def _bars(shown: Chart, room: int, height: int) -> Iterator[Sequence[Cell]]:
    """Yield the lines of the bars, their axis, the marks of failures, and the times."""
    each = max(1, min(_WIDEST, room // len(shown.bars)))
    count = min(len(shown.bars), room // each)
    gap = " " if each > 1 else ""
    scale = mark_lines(shown, height)
    for number, blocks in enumerate(columns(shown, height)):
        bars = "".join(block * (each - len(gap)) + gap for block in blocks[-count:])
        mark = "┤" if number in scale else "│"
        yield Cell(fitted(scale.get(number, ""), _SCALE - 1, right=True) + mark, DIM), Cell(bars, ACCENT)
    yield (Cell(fitted("0", _SCALE - 1, right=True) + "└" + "─" * (count * each), DIM),)
    failed = "".join(("✗" if bar.failed else " ").ljust(each) for bar in shown.bars[-count:])
    yield Cell(fitted("failed" if failed.strip() else "", _SCALE - 1, right=True) + " ", DIM), Cell(failed, BAD)
    yield (Cell(" " * _SCALE + _times(labels(shown)[-count:], each), DIM),)


def _times(names: Sequence[str], each: int) -> str:
    """Return as many labels as fit below their bars, the last one at the right end."""
    width = each * len(names)
    text = [" "] * width
    free = width + 2
    for index in range(len(names) - 1, -1, -1):
        name = names[index]
        start = min(index * each, width - len(name))
        if start >= 0 and start + len(name) + 2 <= free:
            text[start : start + len(name)] = name
            free = start
    return "".join(text)


def _summary(shown: Chart, statistics: Statistics) -> str:
    failures = f"{plural(shown.failures, 'session')} failed" if shown.failures else ""
    total = f"{shown.measure.shown(shown.total)} {shown.measure.value if shown.measure is Measure.MESSAGES else ''}"
    return formatting.join((f"{total.strip()} in all", failures, medians(statistics)))
