"""A fake server that can be asked for a message, and its sink: delivery without a protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import trio

from tui_popretr.config.choices import Eol
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import Absent, Answer, Arrived, BeforeEnd, Following, Group, GroupSink, nothing_follows
from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import ImapMessageRefused, MessageInDoubt, PopretrError, SmtpTemporaryFailure


class Receiver:
    """What the server has, in order, and how it treats messages, by their Message-ID."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ids: list[str | None] = []
        #: The groups that were sent, by Message-ID.
        self.groups: list[list[str | None]] = []
        #: It takes these and does not answer; these it does not get; these it refuses.
        self.unanswered: set[str] = set()
        self.lost: set[str] = set()
        self.refused: set[str] = set()
        #: Asked for a message, it has this error.
        self.deaf: PopretrError | None = None
        #: It never answers a question.
        self.silent = False
        #: How often it was asked.
        self.asked = 0
        self.group = Group(1, 0)
        #: Called when a group was marked, before it is sent.
        self.on_marked: Callable[[], object] = lambda: None
        #: Called when a group was sent and before it is answered.
        self.on_sent: Callable[[], object] = lambda: None


class PlayedSink:
    """The GroupSink of a Receiver."""

    key = "played:receiver"
    eol = Eol.CRLF

    def __init__(self, receiver: Receiver, lane: str = "played#1") -> None:
        self.lane = lane
        self._receiver = receiver

    @property
    def group(self) -> Group:
        return self._receiver.group

    def open(self, record_id: int) -> OutgoingMessage:
        return OutgoingMessage(record_id, "Played=receiver", Spool("/nonexistent"))

    async def prepare(self, octets: int) -> None:
        await trio.lowlevel.checkpoint()

    async def mark(self, messages: Sequence[OutgoingMessage]) -> Sequence[str | None]:
        await trio.lowlevel.checkpoint()
        self._receiver.on_marked()
        first = len(self._receiver.messages)
        return [
            json.dumps([each.message_id, first, each.content.octets]) if each.message_id else None for each in messages
        ]

    async def send(
        self,
        message: OutgoingMessage,
        before_end: BeforeEnd,
        following: Following = nothing_follows,
    ) -> str:
        (outcome,) = await self.send_group([message], before_end)
        if isinstance(outcome, PopretrError):
            raise outcome
        return outcome

    async def send_group(
        self, messages: Sequence[OutgoingMessage], before_end: BeforeEnd
    ) -> Sequence[str | PopretrError]:
        await before_end()
        self._receiver.groups.append([each.message_id for each in messages])
        outcomes = [self._take(each) for each in messages]
        self._receiver.on_sent()
        return outcomes

    async def find(self, marks: Sequence[str]) -> Sequence[Answer]:
        await trio.lowlevel.checkpoint()
        receiver = self._receiver
        receiver.asked += 1
        if receiver.silent:
            await trio.sleep_forever()
        if receiver.deaf is not None:
            raise receiver.deaf
        answers: list[Answer] = []
        taken: set[int] = set()
        for mark in marks:
            message_id, first, octets = json.loads(mark)
            found = (
                index
                for index in range(first, len(receiver.messages))
                if index not in taken and receiver.ids[index] == message_id and len(receiver.messages[index]) == octets
            )
            index = next(found, None)
            if index is None:
                answers.append(Absent())
            else:
                taken.add(index)
                answers.append(Arrived(f"; Place={index}"))
        return answers

    async def close(self) -> None:
        pass

    def _take(self, message: OutgoingMessage) -> str | PopretrError:
        receiver, message_id = self._receiver, message.message_id or ""
        if message_id in receiver.refused:
            return ImapMessageRefused("it takes no such message")
        if message_id in receiver.lost:
            return MessageInDoubt("the connection broke")
        receiver.messages.append(b"".join(message.content.pieces()))
        receiver.ids.append(message.message_id)
        if message_id in receiver.unanswered:
            return MessageInDoubt("the connection broke")
        return f"; Place={len(receiver.messages) - 1}"


def _check(sink: PlayedSink) -> GroupSink:
    return sink  # the type checker's proof that it is one


DEAF = SmtpTemporaryFailure("the receiver does not answer")
