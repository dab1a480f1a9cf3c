"""How a client is drawn in a row of the client list: texts and styles of its cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.cells import cell_len
from rich.style import Style

from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult
from tui_popretr.status import ClientState, ClientView
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.cells import fitted
from tui_popretr.ui.model.client_columns import COLUMNS, PROGRESS, ClientColumn
from tui_popretr.ui.model.columns import Placed
from tui_popretr.ui.widgets.styled import ACCENT, ACTIVE, BAD, DIM, GOOD, PLAIN, WARN, Cell

_STYLES = {
    ClientState.WAITING: DIM,
    ClientState.QUEUED: ACCENT,
    ClientState.CONNECTING: ACCENT,
    ClientState.LOGIN: ACCENT,
    ClientState.LISTING: ACCENT,
    ClientState.RETRIEVING: ACTIVE,
    ClientState.CLOSING: ACCENT,
    ClientState.PAUSED: WARN,
    ClientState.FAILED: BAD,
    ClientState.DONE: DIM,
    ClientState.DISABLED: DIM,
    ClientState.UNKNOWN: WARN,
}
_FAILURE: Final = Style(color="red")
#: For this many seconds, what has succeeded is green.
_JUST: Final = 60
_BAR_LEAST: Final = 5
_BAR_MOST: Final = 12
#: Under a minute, the age of a result is shown in steps of this many seconds: each step has to be drawn.
_STEP: Final = 10


@dataclass(frozen=True, slots=True)
class Moment:
    """The time at which a row is drawn: boottime in seconds, and local time."""

    boottime: float
    wall: datetime


def client_cells(client: ClientView, columns: Sequence[Placed], at: Moment) -> list[tuple[Placed, Cell]]:
    """Return the cells of a client in these columns.

    Where the column of the next run is too narrow, the progress of a retrieval covers that of the last result, too.
    Where there is no column of the last result, the column of the next run shows it.
    """
    has_last = any(each.index == ClientColumn.LAST for each in columns)
    cells: list[tuple[Placed, Cell]] = []
    free = 0
    for each in columns:
        if each.x < free:
            continue
        placed = each
        if each.index == ClientColumn.WHEN and has_last and _is_covering(client, each):
            last = columns[columns.index(each) + 1]
            placed = Placed(each.index, each.x, last.x + last.width - each.x)
        text = _text(client, placed, at, has_last=has_last)
        style = _style(client, each, at, has_last=has_last)
        cells.append((placed, Cell(fitted(text, placed.width, right=COLUMNS[each.index].right), style)))
        free = placed.x + placed.width
    return cells


def _is_covering(client: ClientView, when: Placed) -> bool:
    return client.state is ClientState.RETRIEVING and when.width < PROGRESS


def _text(client: ClientView, placed: Placed, at: Moment, *, has_last: bool) -> str:
    match placed.index:
        case ClientColumn.STATE:
            return f"{client.state.glyph} {client.state.word}"
        case ClientColumn.ID:
            return client.info.id
        case ClientColumn.WHEN if client.state is ClientState.RETRIEVING:
            return _progress(client, at.boottime, placed.width)
        case ClientColumn.WHEN:
            text = formatting.countdown(client.due - at.boottime) if client.due is not None else ""
            return text if has_last else formatting.join((text, _last(client.last, at.wall)))
        case ClientColumn.LAST:
            return _last(client.last, at.wall)
        case ClientColumn.MESSAGES:
            return f"{client.messages}"
        case ClientColumn.OCTETS:
            return wording.size(client.octets)
        case ClientColumn.PAST:
            return formatting.sparkline(client.past, placed.width)
        case ClientColumn.SERVER:
            return client.info.server
        case ClientColumn.RECIP:
            return client.info.recip
        case _:
            raise AssertionError(placed)


def _last(last: SessionResult | PastSession | None, wall: datetime) -> str:
    if last is None:
        return ""
    past = (wall - last.ended).total_seconds()
    return formatting.outcome(last, last.ended + timedelta(seconds=past - past % _STEP if 0 < past < 60 else past))


def _progress(client: ClientView, now: float, width: int) -> str:
    """Return the progress of a retrieval as far as it fits: a bar, count, share and rate."""
    if not client.to_retrieve:
        return ""
    text = formatting.progress(client.received, client.to_retrieve, client.fraction, client.rate(now))
    if cell_len(text) > width:
        text = formatting.progress(client.received, client.to_retrieve, client.fraction, 0.0)
    room = width - cell_len(text) - 1
    if client.fraction is not None and room >= _BAR_LEAST:
        return f"{formatting.bar(client.fraction, min(room, _BAR_MOST)).replace(' ', '·')} {text}"
    return text


def _style_of_last(last: SessionResult | PastSession | None, at: Moment) -> Style:
    if last is None:
        return PLAIN
    if last.code is not ExitCode.OK:
        return _FAILURE
    if not last.messages:
        return DIM
    return GOOD if (at.wall - last.ended).total_seconds() < _JUST else PLAIN


def _style(client: ClientView, placed: Placed, at: Moment, *, has_last: bool) -> Style:
    if client.state is ClientState.DISABLED:
        return DIM
    match placed.index:
        case ClientColumn.STATE:
            return _STYLES[client.state]
        case ClientColumn.WHEN if client.state.running:
            return _STYLES[client.state]
        case ClientColumn.WHEN if has_last:
            return PLAIN
        case ClientColumn.LAST | ClientColumn.WHEN:
            return _style_of_last(client.last, at)
        case ClientColumn.SERVER | ClientColumn.RECIP | ClientColumn.PAST:
            return DIM
        case _:
            return PLAIN
