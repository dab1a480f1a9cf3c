"""One IMAP connection: what the sink does over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tui_popretr.delivery.imap.dialogue import Answer, Dialogue
from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.delivery.imap.transfer import Progress, Transfer, Transmission
from tui_popretr.delivery.remote import BeforeEnd
from tui_popretr.errors import DeliveryFailed, ImapFolderMissing, ImapFolderUnusable, ImapProtocolError
from tui_popretr.facts import Direction
from tui_popretr.imap import (
    MAX_NUMBER,
    AddLabels,
    Capabilities,
    Close,
    Command,
    Create,
    Examine,
    Exists,
    Fetch,
    FetchData,
    FolderListed,
    FolderStatus,
    ListFolders,
    LocalProtocolError,
    Logout,
    Noop,
    Search,
    SearchHeader,
    Select,
    State,
    Status,
    StatusOf,
    Subscribe,
    Text,
    Unselect,
    folder_name,
)
from tui_popretr.mail.identity import message_id_in

#: The most messages that a search may find.
_MAX_FOUND: Final = 100_000


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder at one moment. `next_uid`: UIDNEXT, None if the server does not send it."""

    validity: int
    next_uid: int | None
    messages: int


class ImapConnection:
    """Does what delivery needs over a dialogue that is logged in. Made by Opening.open().

    Each wait is for a complete response and has a deadline, which single octets do not extend. Errors are
    DeliveryFailed with the server's name. After ImapTemporaryFailure (cut, no answer), ImapProtocolError and
    cancellation the connection is not `usable`; a refusal does not change that.

    Folder names and labels are as the user writes them.
    """

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        #: The server's name for texts.
        self.name = dialogue.name
        #: The number of messages that were appended over it.
        self.served = 0

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers after the login."""
        return self.dialogue.machine.capabilities or Capabilities()

    @property
    def usable(self) -> bool:
        """Whether a command can be sent over it, and nothing is unanswered."""
        return self.dialogue.usable

    @property
    def lost(self) -> bool:
        """Whether the server has closed the connection, or it broke."""
        return self.dialogue.lost

    async def is_alive(self) -> bool:
        """Whether the server answers NOOP. Never raises DeliveryFailed."""
        try:
            return self.usable and (await self.dialogue.ask(Noop())).ok
        except DeliveryFailed:
            return False

    # --- folders ------------------------------------------------------------------------------------------------------

    async def status(self, folder: str) -> FolderState:
        """Ask for the state of a folder that is not selected. Raises ImapFolderMissing, ImapFolderUnusable."""
        answer = await self._look(StatusOf(self._named(folder)), folder)
        for data in answer.data:
            if isinstance(data, FolderStatus) and "UIDVALIDITY" in data.items:
                return self._state(folder, data.items, data.items.get("MESSAGES", 0))
        raise self._without_validity(folder)

    async def examine(self, folder: str) -> FolderState:
        """Select a folder afresh, read-only. Raises as status()."""
        return self._selected(folder, await self._look(Examine(self._named(folder)), folder))

    async def select(self, folder: str) -> FolderState:
        """Select a folder afresh, to store labels. Raises as status()."""
        return self._selected(folder, await self._look(Select(self._named(folder)), folder))

    async def _look(self, command: Command, folder: str) -> Answer:
        answer = await self.dialogue.ask(command)
        if answer.ok:
            return answer
        error = self._refusal(f"cannot open the folder {folder}", answer.status, Subject.FOLDER)
        # Some servers, such as Dovecot to STATUS, give no code for a folder that does not exist.
        if type(error) is ImapFolderUnusable and answer.status.code is None and not await self.is_listed(folder):
            raise ImapFolderMissing(str(error))
        raise error

    def _selected(self, folder: str, answer: Answer) -> FolderState:
        numbers: dict[str, int] = {}
        messages = 0
        for data in answer.data:
            if isinstance(data, Exists):
                messages = data.count
            elif isinstance(data, Status) and data.code is not None and data.code.number is not None:
                numbers[data.code.name] = data.code.number
        return self._state(folder, numbers, messages)

    def _state(self, folder: str, numbers: Mapping[str, int], messages: int) -> FolderState:
        validity, following = numbers.get("UIDVALIDITY", 0), numbers.get("UIDNEXT")
        if not 0 < validity <= MAX_NUMBER:
            raise self._without_validity(folder)
        if following is not None and not 0 < following <= MAX_NUMBER:
            raise ImapProtocolError(f"{self.name} has UIDNEXT {following} for the folder {folder}")
        return FolderState(validity, following, messages)

    def _without_validity(self, folder: str) -> DeliveryFailed:
        return ImapProtocolError(f"{self.name} has no UIDVALIDITY for the folder {folder}")

    async def leave_folder(self) -> None:
        """Leave the selected folder, if there is one, without removing anything."""
        if self.dialogue.machine.state is not State.SELECTED:
            return
        if self.capabilities.unselect:
            await self.dialogue.ask(Unselect())
            return
        # After SELECT, CLOSE would remove messages that are marked as deleted. A failed EXAMINE leaves the folder, too.
        if (await self.dialogue.ask(Examine(Text(b"INBOX")))).ok:
            await self.dialogue.ask(Close())

    async def create(self, folder: str) -> None:
        """Make a folder. One that exists already is no error. Raises ImapFolderUnusable."""
        answer = await self.dialogue.ask(Create(self._named(folder)))
        if answer.ok or answer.status.has_code("ALREADYEXISTS") or await self.is_listed(folder):
            return
        raise self._refusal(f"cannot make the folder {folder}", answer.status, Subject.FOLDER)

    async def subscribe(self, folder: str) -> None:
        """Let mail programs show a folder. A refusal is only in the transcript."""
        await self.dialogue.ask(Subscribe(self._named(folder)))

    async def is_listed(self, folder: str) -> bool:
        """Whether the folder exists and can have messages."""
        name = self._named(folder)
        answer = await self.dialogue.ask(ListFolders(name))
        listed = (data for data in answer.data if isinstance(data, FolderListed))
        return any(
            _same_folder(each.name, name.octets) and not {"\\noselect", "\\nonexistent"}.intersection(each.attributes)
            for each in listed
        )

    async def separator(self) -> str | None:
        """Return what stands between a folder and its sub-folder; None if the server does not say, or has none."""
        answer = await self.dialogue.ask(ListFolders(Text(b"")))
        return next((data.separator for data in answer.data if isinstance(data, FolderListed)), None)

    # --- messages -----------------------------------------------------------------------------------------------------

    async def search(self, field: str, text: bytes, first: int) -> tuple[int, ...]:
        """Return the UIDs >= `first` in the selected folder with this text in a header field, in ascending order.

        Servers search in their own ways: the text may be only a part of the field. Raises ImapTemporaryFailure: refused
        for now; ImapRefused: for good.
        """
        answer = await self._ask(SearchHeader(field, text, first), "cannot search", Subject.SEARCH)
        sets = [data.uids for data in answer.data if isinstance(data, Search)]
        if sum(each.count for each in sets) > _MAX_FOUND:
            raise ImapProtocolError(f"{self.name} has found more than {_MAX_FOUND} messages")
        found = (uid for each in sets for uid in each)
        return tuple(sorted({uid for uid in found if uid >= first}))  # N:* has the last message, whatever its UID is

    async def sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """Return the sizes (RFC822.SIZE) of messages in the selected folder. Those that are gone are missing."""
        wanted = frozenset(uids)
        if not wanted:
            return {}
        answer = await self._ask(FetchData(tuple(wanted), ("UID", "RFC822.SIZE")), "cannot fetch sizes", Subject.SEARCH)
        sizes: dict[int, int] = {}
        for data in answer.data:
            if isinstance(data, Fetch):
                uid, size = data.number("UID"), data.number("RFC822.SIZE")
                if uid in wanted and size is not None:
                    sizes[uid] = size
        return sizes

    async def message_ids(self, uids: Iterable[int]) -> dict[int, str]:
        """Return the Message-IDs, without angle brackets, of messages in the selected folder that have one."""
        wanted = frozenset(uids)
        if not wanted:
            return {}
        items = ("UID", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
        answer = await self._ask(FetchData(tuple(wanted), items), "cannot fetch headers", Subject.SEARCH)
        found: dict[int, str] = {}
        for data in answer.data:
            if isinstance(data, Fetch) and (uid := data.number("UID")) in wanted:
                for name, header in data.attributes.items():
                    if name.startswith("BODY[") and isinstance(header, bytes):
                        found[uid] = message_id_in(header) or ""
        return found

    async def add_labels(self, uids: Sequence[int], labels: Sequence[str]) -> None:
        """Add Gmail's labels to messages in the selected folder. Raises ImapFolderUnusable."""
        names = tuple(map(self._named, labels))
        await self._ask(AddLabels(tuple(uids), names), "cannot store labels", Subject.LABELS)

    async def append(
        self, folder: str, transfers: Sequence[Transfer], before_end: BeforeEnd, *, together: bool = False
    ) -> None:
        """Append messages; their progress, place and error are set.

        `together`: in one command (MULTIAPPEND), whose answer counts for all. Otherwise several commands: at once if
        the server takes literals without waiting (LITERAL+, LITERAL-), else one after the other.

        `before_end` is awaited at most once, before the first octet without which the server cannot have any of the
        messages. What it raises is passed on, and the connection is not usable then, as after cancellation. A refusal
        raises nothing; if most of a refused message was not sent, the connection is not usable, and the transfers
        after it are UNSENT. Raises DeliveryFailed: the connection broke; each transfer says how far it had come.
        """
        try:
            await Transmission(self.dialogue, self._named(folder), transfers, before_end, together=together).run()
        finally:
            self.served += sum(each.progress is Progress.APPENDED for each in transfers)

    # --- the end ------------------------------------------------------------------------------------------------------

    def say(self, direction: Direction, texts: Iterable[str]) -> None:
        """Add lines to the transcript."""
        self.dialogue.say(direction, texts)

    async def logout(self) -> None:
        """Send LOGOUT, wait a moment for the answer, and close. Never raises DeliveryFailed."""
        try:
            if self.usable:
                await self.dialogue.ask(Logout(), self.dialogue.quit_timeout)
        except DeliveryFailed:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection at once; never raises."""
        self.dialogue.close()

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _ask(self, command: Command, what: str, subject: Subject) -> Answer:
        """Return the answer to a command. `what` as in "WHAT at SERVER: REFUSAL". Raises DeliveryFailed."""
        answer = await self.dialogue.ask(command)
        if not answer.ok:
            raise self._refusal(what, answer.status, subject)
        return answer

    def _refusal(self, what: str, status: Status, subject: Subject) -> DeliveryFailed:
        return refusal(f"{what} at {self.name}: {status}", status, subject)

    def _named(self, folder: str) -> Text:
        try:
            return folder_name(folder, utf8=self.capabilities.utf8_names)
        except LocalProtocolError as problem:
            raise DeliveryFailed(f"cannot use the name {folder!a}: {problem}") from None


def _same_folder(one: bytes, other: bytes) -> bool:
    return one == other or (one.upper() == b"INBOX" == other.upper())
