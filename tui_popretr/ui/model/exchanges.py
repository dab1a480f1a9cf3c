"""Exchanges: each command with its reply, paired from lines of dialogue. Pure.

Lines of this process have the number of their exchange (facts.DialogueLine). Lines that were read from a log have
none. They are paired by the order of the replies (RFC 1939 §3; RFC 2449 §6.8), which the text shows: the data of a
message end with an EVENT, those of a listing with a dot.

Terminology: *outcome*: what became of a command. *data*: the lines after the status line, and challenges of an AUTH.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from tui_popretr.facts import DISCONNECTED, DialogueLine, Direction, SessionId
from tui_popretr.logs.items import Item
from tui_popretr.wording import plural

if TYPE_CHECKING:
    from tui_popretr.ui.model.runs import Run

#: Lines of data kept for an exchange.
MOST_DATA: Final = 200
#: Commands of which one connection waits for a reply, at most. Earlier ones have lost theirs.
_MOST_WAITING: Final = 4096
_RECEIVED: Final = re.compile(r"Received MessageBody octets=([0-9]{1,18})")
_OTHER_PROTOCOL: Final = re.compile(r"[SL]MTP(?: |$)")
_ARGUMENT: Final = re.compile(r"[A-Za-z]+ +([0-9]{1,10})(?: |$)")
_LISTINGS: Final = frozenset({"CAPA", "LIST", "UIDL"})
_MESSAGES: Final = frozenset({"RETR", "TOP"})


class Outcome(Enum):
    """What became of a command. UNANSWERED: the connection ended before the reply. LOST: the reply was not kept."""

    WAITING = "waiting"
    OK = "+OK"
    ERROR = "-ERR"
    UNANSWERED = "no reply"
    LOST = "missing"

    @property
    def bad(self) -> bool:
        """Whether it is an error."""
        return self in (Outcome.ERROR, Outcome.UNANSWERED)


@dataclass(slots=True, eq=False)
class Exchange:
    """A command and its reply; of number 0 the connection and the greeting. `order` counts all exchanges.

    `milliseconds`: from sending to the status line. `wait`: the part of it after the replies before were complete,
    since pipelined commands wait for each other; it is what the server took for this one. `octets`: of the data.
    `ended`: when the data were complete. The last five are for runs and rows.
    """

    order: int
    session: SessionId
    number: int
    at: datetime
    command: str
    outcome: Outcome = Outcome.WAITING
    reply: str = ""
    replied: datetime | None = None
    milliseconds: float | None = None
    wait: float | None = None
    ended: datetime | None = None
    octets: int | None = None
    data: list[DialogueLine] = field(default_factory=list)
    more: int = 0  # lines of data that are not kept
    verb: str = ""
    message: int | None = None  # the number that the command names
    run: Run | None = None
    counted: int | None = None  # the octets that its run has counted; None before a good reply
    weighed: int = 0  # the lines that were counted
    forgotten: bool = False
    matches: bool = True  # the filter, if there is one

    def __post_init__(self) -> None:
        if self.number:
            self.verb = self.command.partition(" ")[0].upper()
            argument = _ARGUMENT.match(self.command)
            self.message = int(argument[1]) if argument else None

    @property
    def key(self) -> int:
        """The key of its run."""
        return self.order if self.run is None else self.run.key

    @property
    def lines(self) -> int:
        """The number of lines that it keeps in memory."""
        return 1 + len(self.data)

    @property
    def result(self) -> str:
        """The status line; else what became of the command, in words."""
        return self.reply or self.outcome.value

    @property
    def slowest(self) -> float:
        """The wait, as a number to compare; of a run, the longest of a member."""
        return self.wait or 0.0

    @property
    def whole(self) -> list[str]:
        """Command, reply and data, a line each, with the signs of the transcript."""
        lines = [f"{Direction.OUT.value} {self.command}"] if self.number else [self.command]
        lines += [f"{Direction.IN.value} {self.reply}"] if self.reply else []
        lines += [f"{each.direction.value} {each.text}" for each in self.data]
        return [*lines, *([f"… {plural(self.more, 'more line')} …"] if self.more else [])]

    @property
    def error(self) -> bool:
        return self.outcome.bad

    @property
    def multiline(self) -> bool:
        """Whether data follow a +OK."""
        return self.verb in _MESSAGES or (self.verb in _LISTINGS and self.message is None)


@dataclass(slots=True)
class _Connection:
    """The exchanges of a connection that are not complete, oldest first."""

    client: str
    waiting: deque[Exchange] = field(default_factory=deque)
    data: Exchange | None = None  # whose data are being received
    challenged: bool = False
    sent: int = 0
    heard: datetime | None = None  # when the last octets of a reply came


class Pairing:
    """Pairs lines. add() returns the exchanges that are new or have changed, each once."""

    def __init__(self) -> None:
        self._connections: dict[SessionId, _Connection] = {}
        self._count = 0
        self._changed: dict[int, Exchange] = {}

    def add(self, items: Iterable[Item]) -> list[Exchange]:
        """Take lines, oldest first."""
        for item in items:
            if isinstance(item, DialogueLine):
                self._take(item)
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def _take(self, line: DialogueLine) -> None:
        if line.direction is Direction.OPENED:
            self._open(line)
            return
        connection = self._connections.get(line.session)
        if connection is None:
            connection = self._connections[line.session] = _Connection(line.session.client)
        if line.direction is Direction.EVENT and line.text == DISCONNECTED:
            self._end(line.session)
        elif line.exchange is not None:
            self._take_numbered(connection, line, line.exchange)
        elif _OTHER_PROTOCOL.match(line.text) is None:
            self._take_in_order(connection, line)

    def _open(self, line: DialogueLine) -> None:
        client = line.session.client
        for session in [each for each, known in self._connections.items() if known.client == client]:
            self._end(session)
        connection = self._connections[line.session] = _Connection(client)
        self._begin(connection, line, 0)

    def _end(self, session: SessionId) -> None:
        """End a connection: its commands get no reply any more."""
        for exchange in self._connections.pop(session).waiting:
            if exchange.outcome is Outcome.WAITING:
                exchange.outcome = Outcome.UNANSWERED
                self._note(exchange)

    def _begin(self, connection: _Connection, line: DialogueLine, number: int) -> None:
        exchange = Exchange(self._count, line.session, number, line.at, line.text)
        self._count += 1
        connection.sent = number
        connection.waiting.append(exchange)
        if len(connection.waiting) > _MOST_WAITING:
            self._lose(connection.waiting.popleft())
        self._note(exchange)

    def _note(self, exchange: Exchange) -> None:
        self._changed[exchange.order] = exchange

    def _lose(self, exchange: Exchange) -> None:
        if exchange.outcome is Outcome.WAITING:
            exchange.outcome = Outcome.LOST
            self._note(exchange)

    # --- lines with the number of their exchange ----------------------------------------------------------------------

    def _take_numbered(self, connection: _Connection, line: DialogueLine, number: int) -> None:
        waiting = connection.waiting
        if line.direction is Direction.OUT and (number > connection.sent or not waiting):
            self._begin(connection, line, number)
            return
        # Replies come in order: what is before this one is complete, or its reply was lost.
        while waiting and waiting[0].number < number:
            self._lose(waiting.popleft())
        if not waiting or waiting[0].number != number:
            return  # the command was lost
        exchange = waiting[0]
        if line.milliseconds is not None:
            self._answer(connection, exchange, line, line.milliseconds)
        else:
            self._add_data(connection, exchange, line)
            if line.octets is not None:
                exchange.octets, exchange.ended = line.octets, line.at

    def _answer(self, connection: _Connection, exchange: Exchange, line: DialogueLine, milliseconds: float) -> None:
        exchange.outcome = Outcome.OK if line.text.startswith("+") else Outcome.ERROR
        exchange.reply, exchange.replied, exchange.milliseconds = line.text, line.at, milliseconds
        heard = connection.heard
        exchange.wait = milliseconds if heard is None else min(milliseconds, _milliseconds(heard, line.at))
        connection.heard = line.at
        self._note(exchange)

    def _add_data(self, connection: _Connection, exchange: Exchange, line: DialogueLine) -> None:
        if line.direction is not Direction.OUT:
            connection.heard = line.at
        if len(exchange.data) < MOST_DATA:
            exchange.data.append(line)
        else:
            exchange.more += 1
        self._note(exchange)

    # --- lines without ------------------------------------------------------------------------------------------------

    def _take_in_order(self, connection: _Connection, line: DialogueLine) -> None:
        if line.direction is Direction.OUT:
            challenged, connection.challenged = connection.challenged, False
            if challenged and connection.waiting:
                self._add_data(connection, connection.waiting[0], line)
            else:
                self._begin(connection, line, connection.sent + 1)
        elif connection.data is not None:
            self._take_data(connection, connection.data, line)
        elif line.direction is Direction.IN and connection.waiting:
            exchange = connection.waiting[0]
            if line.text.startswith(("+OK", "-ERR")):
                self._answer(connection, exchange, line, _milliseconds(exchange.at, line.at))
                if exchange.outcome is Outcome.OK and exchange.multiline:
                    connection.data = exchange
                else:
                    connection.waiting.popleft()
            else:
                connection.challenged = exchange.verb == "AUTH" and line.text.startswith("+")
                self._add_data(connection, exchange, line)

    def _take_data(self, connection: _Connection, exchange: Exchange, line: DialogueLine) -> None:
        self._add_data(connection, exchange, line)
        if exchange.verb in _MESSAGES:
            received = _RECEIVED.fullmatch(line.text) if line.direction is Direction.EVENT else None
            exchange.octets = int(received[1]) if received else None
            ended = received is not None
        else:
            ended = line.direction is Direction.IN and line.text == "."
        if ended:
            connection.data, exchange.ended = None, line.at
            if connection.waiting and connection.waiting[0] is exchange:
                connection.waiting.popleft()


def _milliseconds(sent: datetime, received: datetime) -> float:
    """Return the time between two lines of a log, which have no date: midnight may be between them."""
    elapsed = (received - sent) % timedelta(days=1)
    return round(elapsed.total_seconds() * 1000, 3)
