"""How a client is drawn in a row of the client list: texts and styles of its cells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from tui_popretr import wording
from tui_popretr.errors import ExitCode
from tui_popretr.facts import PastSession, SessionResult
from tui_popretr.ui.model import formatting
from tui_popretr.ui.model.layout import GUTTER, PROGRESS, Column, Placed
from tui_popretr.ui.model.order import Order
from tui_popretr.ui.model.view import ClientState, ClientView
from tui_popretr.ui.widgets.columns import fitted

_STYLES = {
    ClientState.WAITING: Style.null(),
    ClientState.QUEUED: Style(color="yellow"),
    ClientState.CONNECTING: Style(color="cyan"),
    ClientState.LOGIN: Style(color="cyan"),
    ClientState.LISTING: Style(color="cyan"),
    ClientState.RETRIEVING: Style(color="cyan", bold=True),
    ClientState.CLOSING: Style(color="cyan"),
    ClientState.PAUSED: Style(color="yellow"),
    ClientState.FAILED: Style(color="red", bold=True),
    ClientState.DONE: Style(color="green"),
    ClientState.DISABLED: Style(dim=True),
}
_PLAIN: Final = Style.null()
_BOLD: Final = Style(bold=True)
_DIM: Final = Style(dim=True)
_BAD: Final = Style(color="red")
_TITLE: Final = Style(bold=True, underline=True)
_REVERSE: Final = Style(reverse=True)
_NUMBERS: Final = frozenset({Column.MESSAGES, Column.OCTETS})
_TIMED: Final = frozenset({Column.WHEN, Column.LAST})
_BAR_LEAST: Final = 5
_BAR_MOST: Final = 12
#: How long ago a session ended is told in steps of so many seconds: each step is drawn anew.
_STEP: Final = 10

#: A cell: its column with its place, and its text, exactly that wide.
Cell = tuple[Placed, str]
#: A piece of a row.
Part = tuple[str, Style]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a row is drawn: boottime in seconds, and local time."""

    boottime: float
    wall: datetime


def timed(client: ClientView, columns: Sequence[Placed], at: Moment) -> list[Cell]:
    """Return the cells that time alone changes. A retrieval is told across the last result where room is scarce."""
    placed = [each for each in columns if each.column in _TIMED]
    if client.situation is ClientState.RETRIEVING and len(placed) > 1 and placed[0].width < PROGRESS:
        when, last = placed
        placed = [Placed(Column.WHEN, when.x, last.x + last.width - when.x)]
    alone = len(placed) == 1
    return [(each, fitted(_timed(client, each, at, alone=alone), each.width)) for each in placed]


def row(client: ClientView, columns: Sequence[Placed], cells: Sequence[Cell], *, chosen: bool) -> list[Part]:
    """Return a row's texts with their styles. `cells` are those that timed() gave."""
    parts = [("›" if chosen else " ", _BOLD if chosen else _PLAIN)]
    ready = {placed.column: (placed, text) for placed, text in cells}
    x = GUTTER
    for each in columns:
        if each.x < x:
            continue  # the cell before it has taken its place
        placed, text = ready.get(each.column) or (each, _cell(client, each))
        parts.append((" " * (placed.x - x), _PLAIN))
        parts.append((text, _style(client, placed.column)))
        x = placed.x + placed.width
    return parts


def titles(columns: Iterable[Placed], order: Order, width: int) -> list[Part]:
    """Return the texts of the line of titles."""
    line = " " * GUTTER
    for each in columns:
        title = each.column.value
        if order.column is each.column:
            title += " ▾" if order is Order.MESSAGES else " ▴"
        line = line.ljust(each.x) + fitted(title, each.width, right=each.column in _NUMBERS)
    return [(line.ljust(width), _TITLE)]


def segments(parts: Iterable[Part], width: int, base: Style, *, reverse: bool = False) -> list[Segment]:
    """Return texts as segments `width` cells wide in all, neighbours of one style joined: each change costs octets."""
    joined: list[Part] = []
    used = 0
    for text, style in (*parts, ("", _PLAIN)):
        used += cell_len(text)
        if joined and (joined[-1][1] is style or (not text.strip() and not style and not joined[-1][1].underline)):
            joined[-1] = (joined[-1][0] + text, joined[-1][1])
        else:
            joined.append((text, style))
    text, style = joined[-1]
    joined[-1] = (text + " " * (width - used), style)
    return [Segment(text, _combined(base, style, reverse)) for text, style in joined if text]


@lru_cache(maxsize=256)
def _combined(base: Style, style: Style, reverse: bool) -> Style | None:
    """Return a style on its base; None where that is the terminal's own, so that nothing has to be said of it."""
    if _is_own(base):
        base = _PLAIN
    combined = base + style + _REVERSE if reverse else base + style
    return combined or None


def _is_own(style: Style) -> bool:
    colours = (style.color, style.bgcolor)
    return all(each is None or each.is_default for each in colours) and not (style.bold or style.dim or style.reverse)


def _cell(client: ClientView, placed: Placed) -> str:
    width = placed.width
    match placed.column:
        case Column.STATE:
            text = f"{client.situation.glyph} {client.situation.word}"
        case Column.ID:
            text = client.info.id
        case Column.SERVER:
            text = client.info.server
        case Column.RECIP:
            text = client.info.recip
        case Column.MESSAGES:
            text = f"{client.messages}"
        case Column.OCTETS:
            text = wording.size(client.octets)
        case Column.PAST:
            text = formatting.sparkline(client.past, width)
        case _:
            raise AssertionError(placed.column)
    return fitted(text, width, right=placed.column in _NUMBERS)


def _timed(client: ClientView, placed: Placed, at: Moment, *, alone: bool) -> str:
    if placed.column is Column.LAST:
        return _last(client.last, at.wall)
    if client.situation is ClientState.RETRIEVING:
        return _progress(client, at.boottime, placed.width)
    text = formatting.countdown(client.due - at.boottime) if client.due is not None else ""
    return formatting.join((text, _last(client.last, at.wall))) if alone else text


def _last(last: SessionResult | PastSession | None, wall: datetime) -> str:
    if last is None:
        return ""
    past = (wall - last.ended).total_seconds()
    return formatting.outcome(last, last.ended + timedelta(seconds=past - past % _STEP if 0 < past < 60 else past))


def _progress(client: ClientView, now: float, width: int) -> str:
    """Return how far retrieving is, in what fits: a bar, and count, share and rate."""
    if not client.to_retrieve:
        return ""
    told = formatting.progress(client.received, client.to_retrieve, client.fraction, client.rate(now))
    if cell_len(told) > width:
        told = formatting.progress(client.received, client.to_retrieve, client.fraction, 0.0)
    room = width - cell_len(told) - 1
    if client.fraction is not None and room >= _BAR_LEAST:
        return f"{formatting.bar(client.fraction, min(room, _BAR_MOST)).replace(' ', '·')} {told}"
    return told


def _style(client: ClientView, column: Column) -> Style:
    if client.situation is ClientState.DISABLED:
        return _DIM
    match column:
        case Column.STATE:
            return _STYLES[client.situation]
        case Column.WHEN if client.situation.running:
            return _STYLES[client.situation]
        case Column.LAST | Column.WHEN:
            return _BAD if client.last is not None and client.last.code is not ExitCode.OK else _PLAIN
        case Column.SERVER | Column.RECIP | Column.PAST:
            return _DIM
        case _:
            return _PLAIN
