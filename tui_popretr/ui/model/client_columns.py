"""The columns of the client list. Pure."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from tui_popretr.ui.model.columns import Column, Placed, Step, lay_out
from tui_popretr.ui.model.layout import STACKED_WIDTH


class ClientColumn(IntEnum):
    """An index into COLUMNS."""

    STATE = 0
    ID = 1
    WHEN = 2
    LAST = 3
    MESSAGES = 4
    OCTETS = 5
    PAST = 6
    SERVER = 7
    RECIP = 8


#: In the order of display. What changes most often is furthest left: a line is drawn from its beginning to the change.
COLUMNS: Final = (
    Column("State"),
    Column("Client"),
    Column("Next run", timed=True),
    Column("Last result", timed=True),
    Column("Mails", right=True),
    Column("Size", right=True),
    Column("Past"),
    Column("Server"),
    Column("For"),
)
#: From this width on, the column of the next run has room for the whole progress of a retrieval.
PROGRESS: Final = 36
#: The columns that are shown in any case, unless hidden.
_ALWAYS: Final[dict[int, int]] = {ClientColumn.STATE: 12, ClientColumn.ID: 10, ClientColumn.WHEN: 10}


class Wanted(NamedTuple):
    """The widths at which nothing of these columns is cut, in cells."""

    id: int = 0
    server: int = 0
    recip: int = 0


@lru_cache(maxsize=16)
def client_columns(room: int, wanted: Wanted, hidden: frozenset[int] = frozenset()) -> tuple[Placed, ...]:
    """Return the columns that fit into a client list `room` cells wide, without the hidden ones."""
    always = {index: width for index, width in _ALWAYS.items() if index not in hidden}
    return lay_out(always, [step for step in _steps(room, wanted) if step[0] not in hidden], room)


def _steps(room: int, wanted: Wanted) -> list[Step]:
    if room < STACKED_WIDTH:
        return [(ClientColumn.ID, min(wanted.id, 12)), (ClientColumn.WHEN, room)]
    return [
        (ClientColumn.LAST, 24),
        (ClientColumn.ID, min(wanted.id, 16)),
        (ClientColumn.MESSAGES, 6),
        (ClientColumn.OCTETS, 8),
        (ClientColumn.LAST, 32),
        (ClientColumn.SERVER, min(max(wanted.server, 6), 20)),
        (ClientColumn.PAST, 10),
        (ClientColumn.RECIP, min(max(wanted.recip, 4), 14)),
        (ClientColumn.LAST, 40),
        (ClientColumn.ID, min(wanted.id, 24)),
        (ClientColumn.SERVER, min(wanted.server, 34)),
        (ClientColumn.PAST, 20),
        (ClientColumn.WHEN, PROGRESS),
        (ClientColumn.RECIP, min(wanted.recip, 24)),
        (ClientColumn.LAST, room),
    ]
