"""What a refusal (NO, BAD, BYE) means: the error for it, by its response code (RFC 5530) or else by its subject."""

from __future__ import annotations

from enum import Enum, auto

from tui_popretr.errors import DeliveryFailed
from tui_popretr.imap import Status


class Subject(Enum):
    """What was refused."""

    SESSION = auto()  # the greeting, or BYE
    LOGIN = auto()
    FOLDER = auto()  # examining, making or listing it
    MESSAGE = auto()  # APPEND
    LABELS = auto()
    SEARCH = auto()


def refusal(text: str, status: Status, subject: Subject) -> DeliveryFailed:
    """Return the error for a refusal. `text` says what happened, with the server's name and its words.

    - ImapTemporaryFailure: for now.
    - ImapFolderMissing, ImapFolderUnusable: for each message to this folder.
    - ImapMessageRefused: for this message alone. ImapRefused: full, or for a reason that is not known.
    - ImapLoginFailed, ImapServerUnreachable, ImapProtocolError.
    """
    raise NotImplementedError
