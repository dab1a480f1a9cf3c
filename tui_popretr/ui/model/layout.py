"""Which parts the dashboard shows in a terminal of a given size, and which columns its client list has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: From this width on client list and tabs stand side by side.
BESIDE = 140
#: Below this height, or this width, one of them is shown at a time.
STACKED_HEIGHT = 18
STACKED_WIDTH = 60


class Arrangement(Enum):
    """How client list and tabs share the screen."""

    SINGLE = "single"
    STACKED = "stacked"
    BESIDE = "beside"


def arrangement(width: int, height: int) -> Arrangement:
    """Return the arrangement for a terminal of so many cells."""
    if width < STACKED_WIDTH or height < STACKED_HEIGHT:
        return Arrangement.SINGLE
    return Arrangement.BESIDE if width >= BESIDE else Arrangement.STACKED


def list_height(clients: int, height: int) -> int:
    """Return how many of `height` lines a client list above the tabs gets: all that it needs, but less than half."""
    return max(3, min(clients + 1, height * 9 // 20))


class Column(Enum):
    """A column of the client list, in the order of display, with its title.

    What changes most stands furthest left: a line is drawn from its beginning up to the change.
    """

    STATE = "State"
    ID = "Client"
    WHEN = "Next run"
    LAST = "Last result"
    MESSAGES = "Mails"
    OCTETS = "Size"
    PAST = "Past"
    SERVER = "Server"
    RECIP = "For"


@dataclass(frozen=True, slots=True)
class Placed:
    """A column with its place, in cells from the list's left edge."""

    column: Column
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """How wide the contents would like their columns, cells."""

    id: int
    server: int
    recip: int


#: The mark of the selected row.
GUTTER = 1
#: So wide is the column of the next run where it has room for all that is said of a retrieval.
PROGRESS = 36
_GAP = 1


def columns(width: int, wanted: Wanted) -> tuple[Placed, ...]:
    """Return the columns that fit into `width` cells, filled up to it, in the order of display."""
    widths = {Column.STATE: 12, Column.ID: 10, Column.WHEN: 10}
    left = width - GUTTER - sum(widths.values()) - _GAP * (len(widths) - 1)
    for column, most in _steps(width, wanted):
        if column in widths:
            more = min(max(most - widths[column], 0), max(left, 0))
            widths[column] += more
            left -= more
        elif most + _GAP <= left:
            widths[column] = most
            left -= most + _GAP
    placed: list[Placed] = []
    x = GUTTER
    for column in Column:
        if column in widths:
            placed.append(Placed(column, x, max(1, min(widths[column], width - x))))
            x += widths[column] + _GAP
    return tuple(each for each in placed if each.x < width)


def _steps(width: int, wanted: Wanted) -> list[tuple[Column, int]]:
    """Return what is done with the room, the most wanted first: a column comes in, or grows to so many cells."""
    if width < STACKED_WIDTH:
        return [(Column.ID, min(wanted.id, 12)), (Column.WHEN, width)]
    return [
        (Column.LAST, 24),
        (Column.ID, min(wanted.id, 16)),
        (Column.MESSAGES, 6),
        (Column.OCTETS, 8),
        (Column.LAST, 32),
        (Column.SERVER, min(max(wanted.server, 6), 20)),
        (Column.PAST, 10),
        (Column.RECIP, min(max(wanted.recip, 4), 14)),
        (Column.LAST, 40),
        (Column.ID, min(wanted.id, 24)),
        (Column.SERVER, min(wanted.server, 34)),
        (Column.PAST, 20),
        (Column.WHEN, PROGRESS),
        (Column.RECIP, min(wanted.recip, 24)),
        (Column.LAST, width),
    ]
