"""The marks of messages that are appended (delivery/remote.py): what a folder is searched for, and from which UID on.

A message in doubt is one with a UID from UIDNEXT on, with the Message-ID, and with exactly the size as appended. UIDs
only grow (RFC 9051 §2.3.1.1), so a message that was appended before the mark was made is never taken for it. If
UIDVALIDITY has changed, UIDs cannot be compared.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from tui_popretr.delivery.imap.connection import FolderState
from tui_popretr.imap import MAX_NUMBER


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a message before it is appended."""

    folder: str
    #: UIDVALIDITY; None: the folder did not exist
    validity: int | None
    #: UIDNEXT: the message has this UID, or a larger one
    first: int
    #: octets as appended
    size: int
    #: the Message-ID without angle brackets
    message_id: str

    def text(self) -> str:
        """Return it as it is recorded."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Mark:
        """Read a recorded mark. Raises ValueError."""
        try:
            found = cls(**json.loads(text))
        except (TypeError, ValueError):
            raise ValueError("not a mark") from None
        numbers = (found.first, found.size, 1 if found.validity is None else found.validity)
        texts = (found.folder, found.message_id)
        if not (all(type(each) is int for each in numbers) and all(isinstance(each, str) for each in texts)):
            raise ValueError("not a mark")
        if not (all(each > 0 for each in numbers) and found.first <= MAX_NUMBER and found.message_id.isascii()):
            raise ValueError("not a mark")
        return found

    def fits(self, folder: FolderState) -> bool:
        """Whether UIDs of the folder can be compared with it."""
        return self.validity in (None, folder.validity)


class Position:
    """The UIDs that the next messages in a folder can get, if they are known."""

    def __init__(self) -> None:
        #: Whether UIDVALIDITY and UIDNEXT are known, or that the folder does not exist.
        self.known = False
        self.validity: int | None = None
        self.next_uid: int | None = None

    @property
    def missing(self) -> bool:
        """Whether the folder does not exist."""
        return self.known and self.validity is None

    @property
    def searchable(self) -> bool:
        """Whether messages can be marked."""
        return self.known and self.next_uid is not None

    def forget(self) -> None:
        """It may have changed in an unknown way."""
        self.known = False

    def set(self, folder: FolderState | None) -> None:
        """Take the answer of the server; None: the folder does not exist."""
        self.known = True
        self.validity, self.next_uid = (None, 1) if folder is None else (folder.validity, folder.next_uid)

    def appended(self, places: Iterable[tuple[int, int] | None]) -> None:
        """Take the places of messages that were appended. Without UIDs (no UIDPLUS) the position is unknown."""
        for place in places:
            if place is None or self.validity != place[0] or self.next_uid is None:
                self.forget()
            else:
                self.next_uid = max(self.next_uid, place[1] + 1)
                if self.next_uid > MAX_NUMBER:
                    self.forget()

    def mark(self, folder: str, size: int, message_id: str | None) -> Mark | None:
        """Return the mark of a message; None if it cannot be found again."""
        if message_id is None or not self.known or self.next_uid is None:
            return None
        return Mark(folder, self.validity, self.next_uid, size, message_id)


def fitting(mark: Mark, uids: Iterable[int], sizes: Mapping[int, int], taken: Collection[int]) -> list[int]:
    """Return the UIDs that the message with this mark can have, in ascending order. `taken`: those of other messages.

    The Message-ID has to be compared: a search finds longer ones, too.
    """
    return sorted(uid for uid in uids if uid >= mark.first and uid not in taken and sizes.get(uid) == mark.size)
