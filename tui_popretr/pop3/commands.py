"""The commands of POP3, one class a verb: what goes on the wire, and what may be shown of it.

`wire()` holds the secrets and ends in CRLF; `shown()` holds none and has no line end. Construction raises
LocalProtocolError for an argument that cannot stand on a line, without repeating it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass

from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

#: Octets of a command line, CRLF included (RFC 2449 §4).
MAX_COMMAND_LINE = 255
#: Octets of a line in a SASL exchange, CRLF included (RFC 4954 §4, taken over by RFC 5034 §4).
MAX_SASL_LINE = 12_288

_UNSENDABLE = re.compile("[\r\n\0]")
# RFC 4422 §3.1
_MECHANISM = re.compile("[A-Z0-9_-]{1,20}")


def _check_argument(text: str, what: str) -> None:
    if _UNSENDABLE.search(text):
        raise LocalProtocolError(f"the {what} contains a line end or a NUL")
    _check_encodable(text, what)


def _check_encodable(text: str, what: str) -> None:
    try:
        _octets(text)
    except UnicodeEncodeError:
        encodable = False
    else:
        encodable = True
    if not encodable:  # raised out here: a UnicodeEncodeError carries the whole text, and may not even be a context
        raise LocalProtocolError(f"the {what} cannot be written in UTF-8")


def _check_name(name: str) -> None:
    if not name:
        raise LocalProtocolError("the username is empty")
    _check_argument(name, "username")


def _check_message(message: int | None) -> None:
    if message is not None and message < 1:
        raise LocalProtocolError("messages are numbered from 1")


def _octets(text: str) -> bytes:
    # environment variables that are not UTF-8 arrive as surrogates and leave as the bytes they were
    return text.encode("utf-8", "surrogateescape")


class Command(ABC):
    """One command line, and what is known about the reply to it."""

    __slots__ = ()

    @abstractmethod
    def wire(self) -> bytes:
        """Return the line as it is sent, CRLF and secrets included."""

    @abstractmethod
    def shown(self) -> str:
        """Return the line as it may be logged: no secrets, no line end, safe in a terminal."""

    @property
    def multiline(self) -> bool:
        """Whether data up to CRLF.CRLF follow a +OK."""
        return False

    @property
    def streamed(self) -> bool:
        """Whether these data are handed on as BodyChunk as they come, instead of collected into a Listing."""
        return False

    def secrets(self) -> tuple[bytes, ...]:
        """Return what must be starred out when a server echoes it."""
        return ()


class _OpenCommand(Command):
    """A command without secrets: all of it may be shown."""

    __slots__ = ()

    def shown(self) -> str:
        return visible(self.wire()[:-2])


class _Collected(_OpenCommand):
    """A command whose +OK is followed by data short enough to be collected."""

    __slots__ = ()

    @property
    def multiline(self) -> bool:
        return True


class _Streamed(_OpenCommand):
    """A command whose +OK is followed by a message."""

    __slots__ = ()

    @property
    def multiline(self) -> bool:
        return True

    @property
    def streamed(self) -> bool:
        return True


# --- before login ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capa(_Collected):
    """Ask for the capabilities (RFC 2449 §5)."""

    def wire(self) -> bytes:
        return b"CAPA\r\n"


@dataclass(frozen=True, slots=True)
class Stls(_OpenCommand):
    """Begin TLS (RFC 2595 §4)."""

    def wire(self) -> bytes:
        return b"STLS\r\n"


@dataclass(frozen=True, slots=True)
class Utf8(_OpenCommand):
    """Switch to UTF-8 mode: messages may have UTF-8 in their headers (RFC 6856 §2.1). Only before the login."""

    def wire(self) -> bytes:
        return b"UTF8\r\n"


@dataclass(frozen=True, slots=True)
class User(_OpenCommand):
    """Name the maildrop (RFC 1939 §7)."""

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)

    def wire(self) -> bytes:
        return b"USER %b\r\n" % _octets(self.name)


@dataclass(frozen=True, slots=True)
class Pass(Command):
    """Give the password for the maildrop named by USER (RFC 1939 §7)."""

    secret: Secret

    def __post_init__(self) -> None:
        _check_argument(self.secret.reveal(), "password")

    def wire(self) -> bytes:
        return b"PASS %b\r\n" % _octets(self.secret.reveal())

    def shown(self) -> str:
        return f"PASS {STARS}"

    def secrets(self) -> tuple[bytes, ...]:
        return (_octets(self.secret.reveal()),)


@dataclass(frozen=True, slots=True)
class Apop(Command):
    """Log in with a digest of the greeting's time stamp and the password (RFC 1939 §7); see apop_digest."""

    name: str
    digest: Secret

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_argument(self.digest.reveal(), "digest")

    def wire(self) -> bytes:
        return b"APOP %b %b\r\n" % (_octets(self.name), _octets(self.digest.reveal()))

    def shown(self) -> str:
        return f"APOP {visible(_octets(self.name))} {STARS}"

    def secrets(self) -> tuple[bytes, ...]:
        return (_octets(self.digest.reveal()),)


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """Begin a SASL exchange (RFC 5034 §4). All its continuations and its one final Reply belong to this command.

    `initial` is the first response in plain text: wire() encodes it in base64, and an empty one as "=". None is the
    two-step form. An initial response that does not fit on a command line is left out (`split`); then it answers the
    first continuation, as an Exchange does. `hide` is the part of `initial` that must not be shown on its own either.
    """

    mechanism: str
    initial: Secret | None = None
    hide: Secret | None = None

    def __post_init__(self) -> None:
        if not _MECHANISM.fullmatch(self.mechanism):
            raise LocalProtocolError(f"{visible(self.mechanism)} cannot be the name of a SASL mechanism")
        if self.initial is not None:
            _check_encodable(self.initial.reveal(), "initial response")

    def _whole(self) -> bytes:
        if self.initial is None:
            return b"AUTH %b\r\n" % self.mechanism.encode()
        return b"AUTH %b %b\r\n" % (self.mechanism.encode(), b64encode(_octets(self.initial.reveal())) or b"=")

    @property
    def split(self) -> bool:
        """Whether the initial response is too long for the line and goes in an answer of its own."""
        return self.initial is not None and len(self._whole()) > MAX_COMMAND_LINE

    def wire(self) -> bytes:
        line = self._whole()
        return line if len(line) <= MAX_COMMAND_LINE else b"AUTH %b\r\n" % self.mechanism.encode()

    def shown(self) -> str:
        if self.initial is None or self.split:
            return f"AUTH {self.mechanism}"
        return f"AUTH {self.mechanism} {STARS if self.initial else '='}"

    def secrets(self) -> tuple[bytes, ...]:
        return _sasl_secrets(self.initial, self.hide)


@dataclass(frozen=True, slots=True)
class SaslResponse(Command):
    """Answer a Continuation. `data` is plain text, encoded in base64 by wire(); `hide` as in Auth.

    It is a part of the AUTH command: it has no Reply of its own. It is never shown; but what is `public` in itself, a
    username, may stand in what the server says.
    """

    data: Secret
    hide: Secret | None = None
    public: bool = False

    def __post_init__(self) -> None:
        _check_encodable(self.data.reveal(), "SASL response")
        if len(self.wire()) > MAX_SASL_LINE:
            raise LocalProtocolError(f"the SASL response is longer than {MAX_SASL_LINE} octets")

    def wire(self) -> bytes:
        return b64encode(_octets(self.data.reveal())) + b"\r\n"

    def shown(self) -> str:
        return STARS

    def secrets(self) -> tuple[bytes, ...]:
        return _sasl_secrets(None if self.public else self.data, self.hide)


def _sasl_secrets(data: Secret | None, hide: Secret | None) -> tuple[bytes, ...]:
    plain = [_octets(secret.reveal()) for secret in (data, hide) if secret]
    return tuple(b64encode(octets) for octets in plain) + tuple(plain)


@dataclass(frozen=True, slots=True)
class SaslCancel(_OpenCommand):
    """Give a SASL exchange up; the server must answer -ERR (RFC 5034 §4). Part of the AUTH command."""

    def wire(self) -> bytes:
        return b"*\r\n"


# --- after login ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stat(_OpenCommand):
    """Ask for the number and octets of the messages (RFC 1939 §5); see parse_stat."""

    def wire(self) -> bytes:
        return b"STAT\r\n"


@dataclass(frozen=True, slots=True)
class List(_OpenCommand):
    """Ask for the octets of one message, or of each (RFC 1939 §5); see parse_list."""

    message: int | None = None

    def __post_init__(self) -> None:
        _check_message(self.message)

    def wire(self) -> bytes:
        return b"LIST\r\n" if self.message is None else b"LIST %d\r\n" % self.message

    @property
    def multiline(self) -> bool:
        return self.message is None


@dataclass(frozen=True, slots=True)
class Uidl(_OpenCommand):
    """Ask for the unique-id of one message, or of each (RFC 1939 §7); see parse_uidl."""

    message: int | None = None

    def __post_init__(self) -> None:
        _check_message(self.message)

    def wire(self) -> bytes:
        return b"UIDL\r\n" if self.message is None else b"UIDL %d\r\n" % self.message

    @property
    def multiline(self) -> bool:
        return self.message is None


@dataclass(frozen=True, slots=True)
class Retr(_Streamed):
    """Fetch a message (RFC 1939 §5)."""

    message: int

    def __post_init__(self) -> None:
        if self.message < 1:
            _check_message(self.message)

    def wire(self) -> bytes:
        return b"RETR %d\r\n" % self.message


@dataclass(frozen=True, slots=True)
class Top(_Streamed):
    """Fetch a message's header and its first `lines` lines (RFC 1939 §7)."""

    message: int
    lines: int

    def __post_init__(self) -> None:
        _check_message(self.message)
        if self.lines < 0:
            raise LocalProtocolError("TOP cannot ask for less than 0 lines")

    def wire(self) -> bytes:
        return b"TOP %d %d\r\n" % (self.message, self.lines)


@dataclass(frozen=True, slots=True)
class Dele(_OpenCommand):
    """Mark a message as deleted; QUIT makes it so (RFC 1939 §5)."""

    message: int

    def __post_init__(self) -> None:
        if self.message < 1:
            _check_message(self.message)

    def wire(self) -> bytes:
        return b"DELE %d\r\n" % self.message


@dataclass(frozen=True, slots=True)
class Noop(_OpenCommand):
    """Do nothing, and be answered (RFC 1939 §5)."""

    def wire(self) -> bytes:
        return b"NOOP\r\n"


@dataclass(frozen=True, slots=True)
class Rset(_OpenCommand):
    """Take back all DELEs of the session (RFC 1939 §5)."""

    def wire(self) -> bytes:
        return b"RSET\r\n"


@dataclass(frozen=True, slots=True)
class Quit(_OpenCommand):
    """End the session; after a login its +OK says that the deletions have taken effect (RFC 1939 §6)."""

    def wire(self) -> bytes:
        return b"QUIT\r\n"
