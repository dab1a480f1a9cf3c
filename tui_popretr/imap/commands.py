"""The commands of IMAP, one class for each, with a form for the wire and one for logs.

A command is a list of parts: octets as they are, and Text, which is quoted or sent as a literal. `shown()` holds no
secrets. Construction raises LocalProtocolError for an argument that cannot be sent, without repeating it.

Folder names are as sent (folder_name()).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tui_popretr.imap import utf7
from tui_popretr.imap.errors import LocalProtocolError
from tui_popretr.imap.sets import MAX_NUMBER, uid_set
from tui_popretr.imap.strings import Text, literal_header
from tui_popretr.sasl import Response
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

Part = bytes | Text

_MECHANISM = re.compile("[A-Z0-9_-]{1,20}")  # RFC 4422 §3.1
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+")
_FIELD = re.compile(r"[\x21-\x39\x3b-\x7e]+")
_DATE = re.compile("[ 0-3][0-9]-[A-Z][a-z]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}")


class Command(ABC):
    """One command, without its tag."""

    __slots__ = ()

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """Return the command without tag and CRLF, secrets included."""

    def shown(self) -> str:
        """Return the command for logs: in one line, without secrets, safe in a terminal."""
        return visible(b"".join(part if isinstance(part, bytes) else part.quoted() for part in self.parts()))

    def secrets(self) -> tuple[bytes, ...]:
        """Return what must be starred out when a server echoes it."""
        return ()


class _Plain(Command):
    """A command without arguments."""

    __slots__ = ()
    verb: ClassVar[bytes]

    def parts(self) -> Sequence[Part]:
        return (self.verb,)


@dataclass(frozen=True, slots=True)
class Capability(_Plain):
    """Ask for the capabilities."""

    verb = b"CAPABILITY"


@dataclass(frozen=True, slots=True)
class StartTls(_Plain):
    """Begin TLS."""

    verb = b"STARTTLS"


@dataclass(frozen=True, slots=True)
class Noop(_Plain):
    """See whether the server answers."""

    verb = b"NOOP"


@dataclass(frozen=True, slots=True)
class Logout(_Plain):
    """End the session."""

    verb = b"LOGOUT"


@dataclass(frozen=True, slots=True)
class Unselect(_Plain):
    """Leave the selected folder (RFC 3691)."""

    verb = b"UNSELECT"


@dataclass(frozen=True, slots=True)
class Close(_Plain):
    """Leave the selected folder. After SELECT, it removes messages that are marked as deleted; after EXAMINE none."""

    verb = b"CLOSE"


# --- login ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Login(Command):
    """Log in with username and password."""

    username: str
    password: Secret

    def __post_init__(self) -> None:
        if "\0" in self.username or "\0" in self.password.reveal():
            raise LocalProtocolError("the username or password contains a NUL")

    def parts(self) -> Sequence[Part]:
        return (b"LOGIN ", Text(_octets(self.username)), b" ", Text(_octets(self.password.reveal())))

    def shown(self) -> str:
        return f"{visible(b'LOGIN ' + Text(_octets(self.username)).quoted())} {STARS}"

    def secrets(self) -> tuple[bytes, ...]:
        password = Text(_octets(self.password.reveal()))
        return tuple(dict.fromkeys((password.octets, password.quoted()[1:-1]))) if self.password else ()


def _octets(text: str) -> bytes:
    """Return a text in UTF-8. Octets that were not UTF-8 when they were read are surrogates; they stay the same."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # its text would repeat the secret
        pass
    raise LocalProtocolError("the username or password cannot be written in UTF-8")


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """Begin a SASL exchange. The server continues it with continuations."""

    mechanism: str
    initial: Response | None = None

    def __post_init__(self) -> None:
        if not _MECHANISM.fullmatch(self.mechanism):
            raise LocalProtocolError("this is not the name of a SASL mechanism")

    def parts(self) -> Sequence[Part]:
        line = b"AUTHENTICATE " + self.mechanism.encode("ascii")
        return (line if self.initial is None else line + b" " + (self.initial.encoded() or b"="),)

    def shown(self) -> str:
        return f"AUTHENTICATE {self.mechanism}" + ("" if self.initial is None else f" {STARS}")

    def secrets(self) -> tuple[bytes, ...]:
        return () if self.initial is None else self.initial.secrets()


@dataclass(frozen=True, slots=True)
class SaslResponse(Command):
    """The response to a continuation. It has no tag."""

    response: Response

    def parts(self) -> Sequence[Part]:
        return (self.response.encoded(),)

    def shown(self) -> str:
        return STARS

    def secrets(self) -> tuple[bytes, ...]:
        return self.response.secrets()


@dataclass(frozen=True, slots=True)
class SaslCancel(_Plain):
    """Cancel a SASL exchange. It has no tag."""

    verb = b"*"


# --- folders ----------------------------------------------------------------------------------------------------------


def folder_name(name: str, *, utf8: bool) -> Text:
    """Return a folder's name as sent. Raises LocalProtocolError."""
    if "\0" in name or "\r" in name or "\n" in name:
        raise LocalProtocolError("the folder name has a character that cannot be sent")
    try:
        return Text(name.encode("utf-8") if utf8 else utf7.encode(name), utf8)
    except ValueError:
        raise LocalProtocolError("the folder name is not Unicode") from None


@dataclass(frozen=True, slots=True)
class _OnFolder(Command):
    verb: ClassVar[bytes]

    folder: Text

    def parts(self) -> Sequence[Part]:
        return (self.verb + b" ", self.folder)


@dataclass(frozen=True, slots=True)
class Examine(_OnFolder):
    """Select a folder without changing it."""

    verb = b"EXAMINE"


@dataclass(frozen=True, slots=True)
class Select(_OnFolder):
    """Select a folder."""

    verb = b"SELECT"


@dataclass(frozen=True, slots=True)
class Create(_OnFolder):
    """Make a folder."""

    verb = b"CREATE"


@dataclass(frozen=True, slots=True)
class Subscribe(_OnFolder):
    """Add a folder to those that mail programs show."""

    verb = b"SUBSCRIBE"


@dataclass(frozen=True, slots=True)
class StatusOf(_OnFolder):
    """Ask for the number of messages, UIDNEXT and UIDVALIDITY of a folder that is not selected."""

    verb = b"STATUS"

    def parts(self) -> Sequence[Part]:
        return (b"STATUS ", self.folder, b" (MESSAGES UIDNEXT UIDVALIDITY)")


@dataclass(frozen=True, slots=True)
class ListFolders(_OnFolder):
    """List the folders that match a name, in which % and * are wildcards."""

    verb = b"LIST"

    def parts(self) -> Sequence[Part]:
        return (b'LIST "" ', self.folder)


# --- messages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchHeader(Command):
    """Find messages in the selected folder with this text in a header field, from a UID on."""

    field: str
    text: bytes
    first: int = 1

    def __post_init__(self) -> None:
        if not _FIELD.fullmatch(self.field) or b"\0" in self.text or not 0 < self.first <= MAX_NUMBER:
            raise LocalProtocolError("this cannot be searched for")

    def parts(self) -> Sequence[Part]:
        text = Text(self.text)
        charset = b"" if self.text.isascii() else b"CHARSET UTF-8 "
        return (b"UID SEARCH %sUID %d:* HEADER %s " % (charset, self.first, self.field.encode("ascii")), text)


@dataclass(frozen=True, slots=True)
class FetchData(Command):
    """Ask for data of messages in the selected folder. `items` are those of FETCH, such as RFC822.SIZE."""

    uids: tuple[int, ...]
    items: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_uids(self.uids)

    def parts(self) -> Sequence[Part]:
        return (f"UID FETCH {uid_set(self.uids)} ({' '.join(self.items)})".encode("ascii"),)


@dataclass(frozen=True, slots=True)
class AddLabels(Command):
    """Add labels to messages in the selected folder (X-GM-EXT-1). Labels are written like folder names."""

    uids: tuple[int, ...]
    labels: tuple[Text, ...]

    def __post_init__(self) -> None:
        _check_uids(self.uids)

    def parts(self) -> Sequence[Part]:
        between = [part for label in self.labels for part in (b" ", label)][1:]
        return (f"UID STORE {uid_set(self.uids)} +X-GM-LABELS.SILENT (".encode("ascii"), *between, b")")


def _check_uids(uids: Iterable[int]) -> None:
    if not uids or not all(0 < uid <= MAX_NUMBER for uid in uids):
        raise LocalProtocolError("these are not UIDs")


# --- APPEND -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is appended: its size in octets, its flags, and its INTERNALDATE. The octets come later.

    `date` is a date-time (RFC 9051 §9): ` 7-Feb-2026 22:30:00 +0100`.
    """

    size: int
    flags: tuple[str, ...] = ()
    date: str | None = None
    #: It has NUL: it is sent as a literal8 (RFC 3516)
    binary: bool = False

    def __post_init__(self) -> None:
        date = self.date is None or _DATE.fullmatch(self.date)
        if not (0 < self.size <= MAX_NUMBER and date and all(map(_FLAG.fullmatch, self.flags))):
            raise LocalProtocolError("this message cannot be appended")

    def head(self, *, at_once: bool) -> bytes:
        """Return what is sent before the octets of the message. `at_once`: they follow without waiting."""
        flags = b"(" + " ".join(self.flags).encode("ascii") + b") " if self.flags else b""
        date = b"" if self.date is None else f'"{self.date}" '.encode("ascii")
        return b" " + flags + date + literal_header(self.size, at_once=at_once, binary=self.binary)


@dataclass(frozen=True, slots=True)
class Append(Command):
    """Add messages to a folder; several at once only with MULTIAPPEND (RFC 3502)."""

    folder: Text
    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        if not self.messages:
            raise LocalProtocolError("there is no message to append")

    def parts(self) -> Sequence[Part]:
        return (b"APPEND ", self.folder)

    def shown(self) -> str:
        heads = b"".join(message.head(at_once=False)[:-2] for message in self.messages)
        return visible(b"APPEND " + self.folder.quoted() + heads)
