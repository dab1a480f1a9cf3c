"""The order of the client list, and its filter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from tui_popretr.status import ClientState, ClientView
from tui_popretr.ui.model.client_columns import ClientColumn
from tui_popretr.ui.model.filtering import Words


class Order(Enum):
    """The order of the rows, and the column with the mark."""

    CONFIGURATION = ("configuration", None)
    STATE = ("state", ClientColumn.STATE)
    DUE = ("due", ClientColumn.WHEN)
    NAME = ("name", ClientColumn.ID)
    MESSAGES = ("messages", ClientColumn.MESSAGES)

    def __init__(self, word: str, column: ClientColumn | None) -> None:
        self.word = word
        self.column = column

    @property
    def moves(self) -> bool:
        """Whether the order changes with what happens."""
        return self not in (Order.CONFIGURATION, Order.NAME)

    @property
    def next(self) -> Order:
        """The following order; after the last one, the first."""
        all_ = list(Order)
        return all_[(all_.index(self) + 1) % len(all_)]


#: What needs attention comes first: running, failed, queued, paused, waiting, unknown, done, disabled.
_RANKS = {
    ClientState.RETRIEVING: 0,
    ClientState.LISTING: 1,
    ClientState.LOGIN: 2,
    ClientState.CONNECTING: 3,
    ClientState.CLOSING: 4,
    ClientState.FAILED: 5,
    ClientState.QUEUED: 6,
    ClientState.PAUSED: 7,
    ClientState.WAITING: 8,
    ClientState.UNKNOWN: 9,
    ClientState.DONE: 10,
    ClientState.DISABLED: 11,
}


def listed(clients: Mapping[str, ClientView], order: Order, words: Words) -> tuple[str, ...]:
    """Return the ids of the clients whose descriptions match the filter, in order."""
    ids = [each for each, client in clients.items() if not words or words.match(_described(client))]
    match order:
        case Order.STATE:
            ids.sort(key=lambda each: _RANKS[clients[each].state])
        case Order.DUE:
            ids.sort(key=lambda each: _due(clients[each]))
        case Order.NAME:
            ids.sort(key=str.casefold)
        case Order.MESSAGES:
            ids.sort(key=lambda each: -clients[each].messages)
        case Order.CONFIGURATION:
            pass
    return tuple(ids)


def _described(client: ClientView) -> str:
    info = client.info
    error = client.last.error if client.last is not None else ""
    return f"{info.id} {info.server} {info.recip} {client.state.word} {error}"


def _due(client: ClientView) -> tuple[int, float]:
    if client.state.running:
        return 0, 0.0
    if client.state is ClientState.QUEUED:
        return 1, 0.0
    return (2, client.due) if client.due is not None else (3, 0.0)
