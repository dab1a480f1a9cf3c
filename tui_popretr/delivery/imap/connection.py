"""One IMAP connection: what the sink does over it (skeleton)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui_popretr.delivery.imap.transfer import Transfer
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.facts import Direction
from tui_popretr.imap import Capabilities


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder at one moment. `next_uid`: UIDNEXT, None if the server does not tell."""

    validity: int
    next_uid: int | None
    messages: int


class ImapConnection:
    """Speaks IMAP over a stream. Made by Opening.open(), logged in.

    Each wait is for a complete response and has a deadline, which single octets do not extend. Errors are
    DeliveryFailed with the server's name. After ImapTemporaryFailure (cut, no answer), ImapProtocolError and
    cancellation the connection is not `usable`; a refusal does not change that.

    Folder names and labels are as the user writes them.
    """

    #: The server's name for texts.
    name: str
    #: The number of messages that were appended over it.
    served: int
    #: The server closed the connection, or it broke.
    lost: bool

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers after the login."""
        raise NotImplementedError

    @property
    def usable(self) -> bool:
        """Whether a command can be sent over it, and nothing is unanswered."""
        raise NotImplementedError

    async def is_alive(self) -> bool:
        """Whether the server answers NOOP. Never raises DeliveryFailed."""
        raise NotImplementedError

    # --- folders ------------------------------------------------------------------------------------------------------

    async def status(self, folder: str) -> FolderState:
        """Ask for the state of a folder that is not selected. Raises ImapFolderMissing, ImapFolderUnusable."""
        raise NotImplementedError

    async def examine(self, folder: str) -> FolderState:
        """Select a folder afresh, read-only. Raises as status()."""
        raise NotImplementedError

    async def select(self, folder: str) -> FolderState:
        """Select a folder afresh, to store labels. Raises as status()."""
        raise NotImplementedError

    async def leave_folder(self) -> None:
        """Leave the selected folder, if there is one, without removing anything."""
        raise NotImplementedError

    async def create(self, folder: str) -> None:
        """Make a folder, also its parents. One that exists already is none the worse. Raises ImapFolderUnusable."""
        raise NotImplementedError

    async def subscribe(self, folder: str) -> None:
        """Show a folder in mail programs. A refusal is only said."""
        raise NotImplementedError

    async def is_listed(self, folder: str) -> bool:
        """Whether the folder exists and can have messages."""
        raise NotImplementedError

    # --- messages -----------------------------------------------------------------------------------------------------

    async def search(self, field: str, text: bytes, first: int) -> tuple[int, ...]:
        """Return the UIDs >= `first` in the selected folder with this text in a header field, in ascending order.

        Servers search in their own ways: the text may be only a part of the field. Raises ImapTemporaryFailure: refused
        for now; ImapRefused: for good.
        """
        raise NotImplementedError

    async def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """Return the sizes (RFC822.SIZE) of messages in the selected folder. Those that are gone are missing."""
        raise NotImplementedError

    async def add_labels(self, uids: Sequence[int], labels: Sequence[str]) -> None:
        """Add Gmail's labels to messages in the selected folder. Raises ImapFolderUnusable."""
        raise NotImplementedError

    async def append(
        self, folder: str, transfers: Sequence[Transfer], before_end: BeforeEnd, *, together: bool = False
    ) -> None:
        """Append messages; their progress, place and error are set.

        `together`: in one command (MULTIAPPEND), whose answer counts for all. Otherwise several commands: at once if
        the server takes literals without waiting (LITERAL+, LITERAL-), else one after the other.

        `before_end` is awaited once, before the first octet without which the server cannot have any of the messages.
        What it raises is passed on, and the connection is not usable then, as after cancellation. A refusal raises
        nothing. Raises DeliveryFailed: the connection broke; each transfer says how far it had come.
        """
        raise NotImplementedError

    # --- the end ------------------------------------------------------------------------------------------------------

    def say(self, direction: Direction, texts: Iterable[str]) -> None:
        """Add lines to the transcript."""
        raise NotImplementedError

    async def logout(self) -> None:
        """Send LOGOUT, wait a moment for the answer, and close. Never raises DeliveryFailed."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection at once; never raises."""
        raise NotImplementedError
