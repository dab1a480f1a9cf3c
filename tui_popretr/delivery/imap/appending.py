"""A group of messages on its way to a folder: what is appended together or one by one, and the outcome of each.

A message is *due* again

- if a group was refused as a whole: the messages are sent one by one;
- if the folder does not exist: it is made, and the messages are sent again;
- if the server had closed an idle connection, or a large message was refused before most of it was sent: what was not
  sent is sent over a new connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tui_popretr import faultpoints
from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.imap.dates import date_time
from tui_popretr.delivery.imap.message import ImapMessage
from tui_popretr.delivery.imap.transfer import Progress, Transfer
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.errors import (
    DeliveryFailed,
    ImapFolderMissing,
    ImapFolderUnusable,
    ImapMessageRefused,
    ImapTemporaryFailure,
    MessageInDoubt,
    PopretrError,
)
from tui_popretr.facts import Direction
from tui_popretr.faultpoints import Step
from tui_popretr.imap import MAX_NUMBER, Capabilities, Message
from tui_popretr.text import visible

_REFUSED_SIZE: Final = "raise the server's limit, or set maxsize so that such messages are not retrieved at all"


def check_size(name: str, capabilities: Capabilities, octets: int) -> None:
    """Raise ImapMessageRefused if the server has announced a smaller limit (RFC 7889); a size has at most 32 bits."""
    limit = min(MAX_NUMBER, MAX_NUMBER if capabilities.append_limit is None else capabilities.append_limit)
    if octets > limit:
        raise ImapMessageRefused(
            f"{name} takes messages of at most {limit} octets, and this one has {octets}", advice=_REFUSED_SIZE
        )


def receipt_of(place: tuple[int, int] | None) -> str:
    """Return the UID of a message as a field of the audit line; "" if the server does not return it."""
    return "" if place is None else f"; UID={place[0]}:{place[1]}"


@dataclass(slots=True, eq=False)
class _Item:
    message: ImapMessage
    transfer: Transfer | None = None  # the last attempt
    error: DeliveryFailed | None = None  # it cannot be sent
    labelled: bool = False
    again: bool = False  # it was refused for a reason that is gone

    @property
    def is_unsent(self) -> bool:
        return self.transfer is None or self.transfer.progress is Progress.UNSENT

    @property
    def is_due(self) -> bool:
        return self.error is None and (self.again or self.is_unsent)

    @property
    def appended(self) -> bool:
        return self.transfer is not None and self.transfer.progress is Progress.APPENDED

    @property
    def refusal(self) -> DeliveryFailed | None:
        """Why the server has refused it."""
        transfer = self.transfer
        return transfer.error if transfer is not None and transfer.progress is Progress.REFUSED else None


class Appending:
    """The messages of one group. `before_end` is awaited at most once."""

    def __init__(self, destination: ImapDestination, messages: Sequence[ImapMessage], before_end: BeforeEnd) -> None:
        self.folder = visible(destination.folder, 256)
        self._destination = destination
        self._items = [_Item(message) for message in messages]
        self._before_end = before_end
        self._recorded = False
        self._singly = False  # a group was refused as a whole
        self._problem: DeliveryFailed | None = None
        self._label_problem: DeliveryFailed | None = None

    # --- outcomes -----------------------------------------------------------------------------------------------------

    @property
    def untouched(self) -> bool:
        """Whether the server certainly has none of them, and has refused none."""
        return all(each.is_unsent for each in self._items)

    @property
    def is_due(self) -> bool:
        """Whether run() has something to do: after a refusal, or over a new connection."""
        return any(each.is_due for each in self._items)

    @property
    def attempts(self) -> int:
        """How often run() may be called: each call settles a message, or has one of these reasons to repeat it."""
        return len(self._items) + 3

    def lacks_folder(self, *, known: bool) -> bool:
        """Whether the server has refused messages because the folder does not exist. They are sent again then.

        `known`: it did not exist before, so that this is the reason for any refusal.
        """
        lacking = [each for each in self._items if _is_for_folder(each.refusal, known=known)]
        for each in lacking:
            each.again = True
        return bool(lacking)

    @property
    def places(self) -> list[tuple[int, int] | None]:
        """The places of those that are appended."""
        return [each.transfer.place for each in self._items if each.transfer is not None and each.appended]

    def fail(self, problem: DeliveryFailed) -> None:
        """Take the error that ended it: of the connection, or of what comes before it."""
        self._problem = problem

    def outcomes(self) -> list[str | PopretrError]:
        """Return the receipt or the error of each message."""
        return [self._outcome(each) for each in self._items]

    def _outcome(self, item: _Item) -> str | PopretrError:
        problem = self._problem or ImapTemporaryFailure("the message was not sent")
        transfer = item.transfer
        if item.error is not None or transfer is None:
            return item.error or problem
        match transfer.progress:
            case Progress.UNSENT:
                return problem
            case Progress.REFUSED:
                return (self._problem if item.again else None) or transfer.error or problem
            case Progress.IN_DOUBT:
                return MessageInDoubt(f"it is not known whether the message has arrived: {problem}")
        receipt = receipt_of(transfer.place)
        if item.labelled or not self._destination.labels:
            return receipt
        if item.message.message_id is None:  # it could not be found again
            return f"{receipt}; Labels=missing"
        reason = self._label_problem or self._problem or "the server does not return its UID"
        return MessageInDoubt(
            f"the message has arrived without its labels: {reason}", advice="they are added at the next run"
        )

    # --- sending ------------------------------------------------------------------------------------------------------

    async def run(self, connection: ImapConnection) -> None:
        """Append the messages that are due. Afterwards others may be due, if is_due says so.

        Raises DeliveryFailed, and what `before_end` raises.
        """
        for item in self._items:
            if item.is_due:
                item.error = _unfit(connection, item.message)
        items = [each for each in self._items if each.is_due]
        if not items:
            return
        transfers = [self._transfer(each.message) for each in items]
        for item, transfer in zip(items, transfers, strict=True):
            item.transfer, item.again = transfer, False
        together = connection.capabilities.multiappend and len(items) > 1 and not self._singly
        await connection.append(self._destination.folder, transfers, self._record, together=together)
        faultpoints.reached(Step.APPEND_ANSWERED)
        if together:  # a server that refuses one of them refuses all (RFC 3502 §6.3.11)
            for item in items:
                item.again = item.refusal is not None and not isinstance(item.refusal, ImapFolderUnusable)
            self._singly = any(each.again for each in items)

    def _transfer(self, message: ImapMessage) -> Transfer:
        date = message.arrived or datetime.now().astimezone()
        head = Message(message.content.octets, self._destination.flags, date_time(date), message.nul)
        return Transfer(head, message.pieces())

    async def _record(self) -> None:
        """Await `before_end`, once: messages that are sent again are recorded already."""
        faultpoints.reached(Step.APPEND_SENT)
        if not self._recorded:
            await self._before_end()
            self._recorded = True

    # --- labels -------------------------------------------------------------------------------------------------------

    async def label(self, connection: ImapConnection) -> None:
        """Add the labels to the messages that are appended. Raises nothing but trio.Cancelled."""
        labels = self._destination.labels
        items = {each.transfer.place: each for each in self._items if each.transfer is not None and each.appended}
        uids = {place[1]: item for place, item in items.items() if place is not None}
        if not (labels and uids):
            return
        try:
            folder = await connection.select(self._destination.folder)
            if any(place is not None and place[0] != folder.validity for place in items):
                raise ImapTemporaryFailure(f"the folder {self.folder} was made again meanwhile")
            await connection.add_labels(list(uids), labels)
            await connection.leave_folder()
        except DeliveryFailed as problem:
            self._label_problem = problem
            connection.say(Direction.EVENT, [f"the labels are missing: {problem}"])
            return
        for item in uids.values():
            item.labelled = True
        faultpoints.reached(Step.LABELLED)


def _unfit(connection: ImapConnection, message: ImapMessage) -> DeliveryFailed | None:
    """Return why a message cannot be sent to this server; None if it can."""
    if message.nul and not connection.capabilities.binary:
        return ImapMessageRefused(
            f"the message contains NUL, which {connection.name} does not take (it does not offer BINARY)"
        )
    try:
        check_size(connection.name, connection.capabilities, message.content.octets)
    except ImapMessageRefused as refusal:
        return refusal
    return None


def _is_for_folder(refusal: DeliveryFailed | None, *, known: bool) -> bool:
    return refusal is not None and (known or isinstance(refusal, ImapFolderMissing))
