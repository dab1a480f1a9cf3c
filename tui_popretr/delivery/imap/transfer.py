"""Messages on their way to a folder: in one APPEND, in several at once, or one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.delivery.imap.dialogue import Dialogue
from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.errors import DeliveryFailed
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step
from tui_popretr.imap import Append, Continuation, EarlyCompletion, Message, Response, Status, Text

#: Octets that are collected before they are sent.
_FULL: Final = 64 * 1024
#: Octets of the rest of a message that the server has refused already, up to which it is sent nevertheless: the server
#: takes it and the connection stays. Of a longer rest, a new connection costs less.
_SWALLOWED: Final = 256 * 1024


class Progress(Enum):
    """How far a message has come."""

    UNSENT = "the server cannot have it: its end was not sent"
    IN_DOUBT = "its end was sent, at least in part, and there is no answer"
    APPENDED = "the server has it"
    REFUSED = "the server has refused it"


@dataclass(slots=True)
class Transfer:
    """A message to append.

    `pieces` are the octets, `message.size` in all, none empty, in the form that IMAP needs (CRLF). They are taken at
    most once. Errors that they raise are passed on.
    """

    message: Message
    pieces: AsyncGenerator[bytes]
    progress: Progress = Progress.UNSENT
    #: UIDVALIDITY and UID of what was appended; None: the server does not return them
    place: tuple[int, int] | None = None
    #: why it was refused
    error: DeliveryFailed | None = None


class _GaveUpError(Exception):
    """Too much of a refused message is left to send."""


class Transmission:
    """One call of ImapConnection.append(): sends the messages, and takes the answers."""

    def __init__(
        self, dialogue: Dialogue, folder: Text, transfers: Sequence[Transfer], before_end: BeforeEnd, *, together: bool
    ) -> None:
        self._dialogue = dialogue
        self._machine = dialogue.machine
        self._folder = folder
        self._before_end = before_end
        self._groups = [list(transfers)] if together else [[each] for each in transfers]
        self._recorded = False  # before_end was awaited
        self._unanswered: dict[int, tuple[Append, list[Transfer]]] = {}  # by the id of the command
        self._held: list[bytes] = []  # not sent yet
        self._ending: list[Transfer] = []  # those whose end is held

    async def run(self) -> None:
        """Send everything. Raises DeliveryFailed, and what `before_end` and the pieces raise."""
        capabilities = self._machine.capabilities
        pipelining = capabilities is not None and capabilities.literal_limit != 0
        try:
            for group in self._groups:
                await self._append(group)
                if not pipelining:
                    await self._take_answers()
            await self._take_answers()
        except _GaveUpError:
            await self._take_answers()
        except DeliveryFailed as broken:
            if self._dialogue.lost:
                for response in await self._dialogue.last_responses():
                    self._take(response)
            raise self._dialogue.farewell_or(broken) from None

    # --- one command --------------------------------------------------------------------------------------------------

    async def _append(self, group: list[Transfer]) -> None:
        command = Append(self._folder, tuple(each.message for each in group))
        self._unanswered[id(command)] = command, group
        self._held.append(self._dialogue.announce(command))
        last = b""
        for number, transfer in enumerate(group):
            if number:
                self._held += (last, self._dialogue.of_machine(self._machine.next_message))
            if not await self._is_awaited(command):
                return
            last = await self._send_most(transfer)
            if self._machine.refused:
                break
        await self._end(group, last)

    async def _is_awaited(self, command: Append) -> bool:
        """Wait until the server takes the next message; return whether it does."""
        deadline = self._dialogue.deadline()
        while self._machine.waiting:
            await self._flush()
            self._take(await self._dialogue.next(deadline))
        return self._machine.unsent is command

    async def _send_most(self, transfer: Transfer) -> bytes:
        """Send a message without its last piece; return that."""
        held, missing = b"", transfer.message.size
        async with aclosing(transfer.pieces) as pieces:
            async for piece in pieces:
                if held:
                    self._held.append(held)
                    if sum(map(len, self._held)) >= _FULL:
                        await self._flush()
                self._take_arrived()
                if self._machine.refused and missing > _SWALLOWED:
                    self._dialogue.spoiled = True
                    raise _GaveUpError
                missing -= len(piece)
                held = self._dialogue.of_machine(partial(self._machine.content, piece))
        return held

    async def _end(self, group: list[Transfer], last: bytes) -> None:
        """Send the last piece and the end of the command."""
        if not (self._recorded or self._machine.refused):
            await self._flush()
            self._recorded = True
            await self._before_end()
            self._take_arrived()
        refused = self._machine.refused
        end = self._dialogue.of_machine(self._machine.end)
        self._held += (last, end)
        if not refused:
            self._ending += group
            octets = sum(each.message.size for each in group)
            self._dialogue.say(Direction.EVENT, [f"Sent MessageBody octets={octets}"])

    async def _flush(self) -> None:
        data, self._held = b"".join(self._held), []
        for transfer in self._ending:
            if transfer.progress is Progress.UNSENT:
                transfer.progress = Progress.IN_DOUBT
        self._ending.clear()
        if data:
            await self._dialogue.send(data)

    # --- answers ------------------------------------------------------------------------------------------------------

    async def _take_answers(self) -> None:
        """Send what is held, and wait for all answers."""
        if self._held:
            await self._flush()
            faultpoints.reached(Step.APPEND_ENDED)
        while unanswered := len(self._unanswered):
            deadline = self._dialogue.deadline()
            while len(self._unanswered) == unanswered:
                self._take(await self._dialogue.next(deadline))

    def _take_arrived(self) -> None:
        while (response := self._dialogue.next_nowait()) is not None:
            self._take(response)

    def _take(self, response: Response) -> None:
        match response:
            case Continuation() if self._machine.unsent is not None and not self._machine.refused:
                self._held.append(self._dialogue.of_machine(self._machine.go_on))
            case Status(command=Append() as command) if id(command) in self._unanswered:
                _, group = self._unanswered.pop(id(command))
                self._answered(group, response)

    def _answered(self, group: list[Transfer], status: Status) -> None:
        if status.ok:
            if any(each.progress is Progress.UNSENT for each in group):
                early = EarlyCompletion(f"accepted APPEND before it had all of it: {status}")
                raise self._dialogue.failure(early)
            appended = status.code.appended if status.code is not None else None
            known = appended is not None and appended.uids.count == len(group)
            places = [(appended.validity, uid) for uid in appended.uids] if appended and known else [None] * len(group)
            for transfer, place in zip(group, places, strict=True):
                transfer.progress, transfer.place = Progress.APPENDED, place
            return
        for transfer in group:
            text = f"{self._dialogue.name} refused the message: {status}"
            transfer.progress, transfer.error = Progress.REFUSED, refusal(text, status, Subject.MESSAGE)
