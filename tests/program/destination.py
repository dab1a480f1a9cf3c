"""Destinations under test, read from outside as a mail reader does."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from tests.crash.cases import Kind
from tests.delivery.command.place import CommandPlace
from tests.delivery.imap.mailbox import ALL, USER, WORD, Folder, Mailbox, serving
from tests.delivery.smtp.receiver import Receiver, Say, receiving
from tests.program.site import without_received
from tests.program.steps import AWAY, STRANGER

#: The contents of the file that reserves a message's name where there are no hard links.
PLACEHOLDER: Final = b""
#: The recipients of LMTP.
MEMBERS: Final = ("one@crash.test", "other@crash.test")


class Place(Protocol):
    """A destination under test."""

    @property
    def inside(self) -> str:
        """The client's XML for this destination."""
        ...

    @property
    def can_tell(self) -> bool:
        """Whether recovery can look up here if a message has arrived. If not, the message may arrive again."""
        ...

    def as_stored(self, message: bytes) -> list[bytes]:
        """Return what must be stored here of a sent message: one for each recipient."""
        ...

    def look(self) -> Counter[bytes]:
        """Return all messages that have arrived, without their Received headers."""
        ...

    def unfinished(self) -> list[Path]:
        """The files of messages that are not complete yet."""
        ...

    def obstruct(self) -> Path | None:
        """Make the next delivery fail; or return the path, if the process under test must do that itself."""
        ...

    def mend(self) -> None:
        """Undo obstruct()."""
        ...


class _Files:
    """A destination of files. Each file is read once: it must not change afterwards."""

    can_tell = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, bytes] = {}

    def names(self) -> list[Path]:
        """The files that a reader would regard as messages."""
        raise NotImplementedError

    def obstruct(self) -> Path:
        return self.path

    def look(self) -> Counter[bytes]:
        files = self.names()
        assert {file.name for file in files} >= set(self._read), "a message is gone that had arrived"
        for file in files:
            if file.name not in self._read and (data := file.read_bytes()) not in (STRANGER, PLACEHOLDER):
                self._read[file.name] = without_received(data)
        return Counter(self._read.values())


class MaildirPlace(_Files):
    """A Maildir. Its reader removes nothing."""

    @property
    def inside(self) -> str:
        return f"<maildir>{self.path}</maildir>"

    def as_stored(self, message: bytes) -> list[bytes]:
        return [message.replace(b"\r\n", b"\n")]

    def names(self) -> list[Path]:
        return list(self.path.glob("new/*"))

    def unfinished(self) -> list[Path]:
        return list(self.path.glob("tmp/*"))

    def mend(self) -> None:
        if (self.path / AWAY).exists():
            (self.path / AWAY).rename(self.path / "new")


class FolderPlace(_Files):
    """A downloads folder."""

    @property
    def inside(self) -> str:
        return f"<downloads_directory>{self.path}</downloads_directory>"

    def as_stored(self, message: bytes) -> list[bytes]:
        return [message]

    def names(self) -> list[Path]:
        return list(self.path.glob("[!.]*"))

    def unfinished(self) -> list[Path]:
        return [*self.path.glob(".*"), *(file for file in self.names() if file.stat().st_size == 0)]

    def mend(self) -> None:
        """Nothing to do: the foreign file stays, and the message gets another name."""


class SmtpPlace:
    """A mail server."""

    can_tell = False

    def __init__(self, receiver: Receiver, spool: Path) -> None:
        self._receiver = receiver
        self._spool = spool

    @property
    def inside(self) -> str:
        address = f"<address>127.0.0.1:{self._receiver.port}</address>"
        return f'<smtp enabled="Y">{address}<sender>k@crash.test</sender></smtp>'

    def as_stored(self, message: bytes) -> list[bytes]:
        return [message]

    def look(self) -> Counter[bytes]:
        return Counter(without_received(mail.content) for mail in list(self._receiver.mails))

    def unfinished(self) -> list[Path]:
        return list(self._spool.glob("*"))

    def obstruct(self) -> None:
        self._receiver.on("DOT", Say("451 4.3.0 not now"))

    def mend(self) -> None:
        """Nothing to do: obstruct() was for one message."""


class ImapPlace:
    """A folder of an IMAP server that is missing at first, and whose messages get labels."""

    can_tell = True

    def __init__(self, mailbox: Mailbox, spool: Path) -> None:
        mailbox.capabilities = (*ALL, "X-GM-EXT-1")
        self._mailbox = mailbox
        self._spool = spool

    @property
    def inside(self) -> str:
        server = f"<address>127.0.0.1:{self._mailbox.port}</address>"
        login = f"<username>{USER}</username><password>{WORD}</password>"
        return f'<imap>{server}{login}<ssl enabled="N"/><folder>Old/ISP</folder><labels>A</labels></imap>'

    def as_stored(self, message: bytes) -> list[bytes]:
        return [message]

    def look(self) -> Counter[bytes]:
        self._mailbox.wait_until_idle()
        folder = self._mailbox.folders.get("Old/ISP", Folder())
        return Counter(without_received(each.content) for each in folder.messages.values())

    def unfinished(self) -> list[Path]:
        folder = self._mailbox.folders.get("Old/ISP", Folder())
        assert all(each.labels.count("A") >= 1 for each in folder.messages.values()), "a label is missing"
        return list(self._spool.glob("*"))

    def obstruct(self) -> None:
        """A group is refused, and then a message of it."""
        self._mailbox.on("APPEND", *["NO [UNAVAILABLE] not now"] * 2)

    def mend(self) -> None:
        """Nothing to do: obstruct() was for one message."""
        self._mailbox.script.clear()


class LmtpPlace(SmtpPlace):
    """An LMTP server, with the mailboxes of MEMBERS."""

    @property
    def inside(self) -> str:
        address = f"<address>127.0.0.1:{self._receiver.port}</address>"
        return f"<smtp>{address}<lmtp>Y</lmtp><sender>k@crash.test</sender></smtp>"

    def as_stored(self, message: bytes) -> list[bytes]:
        return [_in_mailbox(member, message) for member in MEMBERS]

    def look(self) -> Counter[bytes]:
        return Counter(
            _in_mailbox(member, without_received(mail.content))
            for mail in list(self._receiver.mails)
            for member in mail.recipients
        )

    def obstruct(self) -> None:
        """The first member accepts the message, the other one does not."""
        self._receiver.verdicts[MEMBERS[-1]] = deque(["451 4.3.0 not now"])


def _in_mailbox(member: str, message: bytes) -> bytes:
    return message + f"in the mailbox of {member}".encode()


@contextmanager
def place_of(kind: Kind, top: Path) -> Iterator[Place]:
    """Make a destination of a kind for the site in `top`. Files of mail are in its folder `mail`."""
    match kind:
        case Kind.MAILDIR:
            yield MaildirPlace(top / "mail")
        case Kind.FOLDER:
            yield FolderPlace(top / "mail")
        case Kind.SMTP:
            with receiving() as receiver:
                yield SmtpPlace(receiver, top / "var" / "tmp")
        case Kind.LMTP:
            with receiving(lmtp=True) as receiver:
                yield LmtpPlace(receiver, top / "var" / "tmp")
        case Kind.COMMAND:
            yield CommandPlace(top)
        case Kind.IMAP:
            with serving() as mailbox:
                yield ImapPlace(mailbox, top / "var" / "tmp")
