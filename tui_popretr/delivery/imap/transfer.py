"""Messages on their way to a folder: in one APPEND, in several at once, or one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from enum import Enum

from tui_popretr.errors import DeliveryFailed
from tui_popretr.imap import Message


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
    pieces: AsyncIterable[bytes]
    progress: Progress = Progress.UNSENT
    #: UIDVALIDITY and UID of what was appended; None: the server does not tell
    place: tuple[int, int] | None = None
    #: why it was refused
    error: DeliveryFailed | None = None
