"""The window of a retrieval: the commands that may be sent now, and those in flight. Pure.

The window limits what is in flight, in octets of messages and in commands. Without PIPELINING it is one command, and
everything else is the same. DELEs come first, then RETR and TOP in the order of the plan. If a DELE has broken a
connection in this session, DELEs are sent only after all messages were retrieved.

What may be sent ends in this order; QUIT is sent together with the last DELEs, if there is PIPELINING.

| state     | RETR, TOP | DELE | next, and why                                                                       |
|-----------|-----------|------|-------------------------------------------------------------------------------------|
| ALL       | yes       | yes  | DELETIONS: the session was stopped, or too many messages could not be stored        |
| DELETIONS | no        | yes  | NOTHING: after an error of the journal, what is in it must be read again first      |
| NOTHING   | no        | no   |                                                                                     |
| QUIT      | no        | no   | entered from ALL and DELETIONS with the last DELEs                                  |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from tui_popretr.pop3 import Command, Dele, Noop, Quit, Retr, Top
from tui_popretr.session.matching import KnownMessages
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify

#: Octets of messages requested and not yet received: enough to fill a line of 200 ms at 300 Mbit/s.
WINDOW = 8 * 1024 * 1024
#: Octets received and not yet durable, beyond which no message is requested: a hung disk must not fill the memory.
MAX_UNDURABLE = 4 * WINDOW
#: Commands in flight; each reply costs the server memory.
MAX_COMMANDS = 2048


class Sending(IntEnum):
    """What may still be sent. It only ever grows less."""

    ALL = 0
    DELETIONS = 1
    NOTHING = 2
    QUIT = 3


@dataclass(frozen=True, slots=True)
class Delete:
    """A DELE, and the journal's record of the message."""

    listed: Listed
    record: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A NOOP, whose reply shows that the held message had ended."""


InFlight = Fetch | Verify | Delete | Probe


class Window:
    """The commands of one connection."""

    def __init__(self, plan: Plan, known: KnownMessages, *, pipelining: bool, deletions_last: bool) -> None:
        self.sending = Sending.ALL
        self._work: deque[Fetch | Verify] = deque(plan.work)
        self._known = known
        self._pipelining = pipelining
        self._deletions_last = deletions_last
        self._deletes: deque[Delete] = deque()
        self._in_flight: deque[InFlight] = deque()
        self._requested = 0  # octets of messages in flight, also of the one that is being received

    # --- what is to be sent -------------------------------------------------------------------------------------------

    def send_no_more_than(self, sending: Sending) -> None:
        """Send only this much from now on."""
        self.sending = max(self.sending, sending)
        if self.sending >= Sending.NOTHING:
            self._deletes.clear()

    def delete(self, listed: Listed, record: int) -> None:
        """Send a DELE, unless nothing is sent any more."""
        if self.sending < Sending.NOTHING:
            self._deletes.append(Delete(listed, record))

    def retrieve_next(self, job: Fetch | Verify) -> None:
        """Do this job before the others."""
        self._work.appendleft(job)

    def retrieve_last(self, job: Fetch | Verify) -> None:
        """Do this job after the others."""
        self._work.append(job)

    def next_commands(self, *, received: int, undurable: int, under_way: bool, held: bool) -> list[Command]:
        """Return the commands to send now, which are then in flight.

        `received`: octets of the message that is being received. `undurable`: octets received and not yet durable.
        `under_way`: a message is being received, held or delivered. `held`: one is held.
        """
        commands: list[Command] = []
        most = MAX_COMMANDS - len(self._in_flight) if self._pipelining else int(not self._in_flight)
        while self._deletes and len(commands) < most:
            if self._deletions_last and not self._all_retrieved(under_way):
                break
            delete = self._deletes.popleft()
            commands.append(Dele(delete.listed.number))
            self._in_flight.append(delete)
        to_come = self._requested - received
        while not self._all_requested and len(commands) < most and to_come < WINDOW and undurable < MAX_UNDURABLE:
            job = self._work.popleft()
            to_come += job.listed.size
            self._requested += job.listed.size
            number = job.listed.number
            commands.append(Top(number, 0) if self._known.top_suffices(job) else Retr(number))
            self._in_flight.append(job)
        if held and not (commands or self._in_flight):
            commands.append(Noop())
            self._in_flight.append(Probe())
        if commands and self._pipelining and not self._deletes and self._all_retrieved(under_way):
            self.sending = Sending.QUIT
            commands.append(Quit())
        return commands

    def finished(self, *, under_way: bool) -> bool:
        """Whether there is nothing left to send or to wait for, apart from QUIT."""
        return self._all_requested and not (self._in_flight or under_way or self._deletes)

    @property
    def _all_requested(self) -> bool:
        return self.sending is not Sending.ALL or not self._work

    def _all_retrieved(self, under_way: bool) -> bool:
        """Whether nothing is left but deletions."""
        return self._all_requested and not under_way and all(isinstance(each, Delete) for each in self._in_flight)

    # --- what is in flight --------------------------------------------------------------------------------------------

    @property
    def head(self) -> InFlight | None:
        """The command whose reply is being received, or is next."""
        return self._in_flight[0] if self._in_flight else None

    def answered(self) -> None:
        """Forget the head: its reply is complete."""
        head = self._in_flight.popleft()
        if isinstance(head, Fetch | Verify):
            self._requested -= head.listed.size
