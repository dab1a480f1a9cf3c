"""The commands of POP3, one class for each verb, with a form for the wire and one for logs.

`wire()` holds the secrets and ends in CRLF; `shown()` holds none and has no line end. Construction raises
LocalProtocolError for an argument that cannot stand on a line, without repeating it.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from tui_popretr.pop3.errors import LocalProtocolError
from tui_popretr.sasl import Response
from tui_popretr.secret import STARS, Secret
from tui_popretr.text import visible

#: Octets of a command line, CRLF included (RFC 2449 §4).
MAX_COMMAND_LINE = 255

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
    if not encodable:  # raised here: a UnicodeEncodeError carries the whole text, so it must not become the context
        raise LocalProtocolError(f"the {what} cannot be written in UTF-8")


def _check_name(name: str) -> None:
    if not name:
        raise LocalProtocolError("the username is empty")
    _check_argument(name, "username")


def _check_message(message: int | None) -> None:
    if message is not None and message < 1:
        raise LocalProtocolError("messages are numbered from 1")


def _octets(text: str) -> bytes:
    # Octets of environment variables that are not UTF-8 arrive as surrogates and are sent unchanged.
    return text.encode("utf-8", "surrogateescape")


class Command(ABC):
    """One command line, and the kind of its reply."""

    __slots__ = ()

    @abstractmethod
    def wire(self) -> bytes:
        """Return the line as it is sent, CRLF and secrets included."""

    @abstractmethod
    def shown(self) -> str:
        """Return the line for logs: without secrets and line end, safe in a terminal."""

    @property
    def multiline(self) -> bool:
        """Whether data up to CRLF.CRLF follow a +OK."""
        return False

    @property
    def streamed(self) -> bool:
        """Whether these data become BodyChunks as they arrive, not one Listing."""
        return False

    def secrets(self) -> tuple[bytes, ...]:
        """Return what must be starred out when a server echoes it."""
        return ()


class _OpenCommand(Command):
    """A command without secrets."""

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


def apop_digest(stamp: bytes, password: Secret) -> Secret:
    """Return APOP's digest of the greeting's stamp, angle brackets included, and the password (RFC 1939 §7)."""
    octets = _octets(password.reveal())
    # The RFC prescribes MD5; without the flag, systems whose policy bars MD5 raise an error.
    return Secret(hashlib.md5(stamp + octets, usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """Begin a SASL exchange (RFC 5034 §4). All its continuations and its one final Reply belong to this command.

    `initial` is the initial response; an empty one is sent as "=". Without it the server sends a continuation first.
    """

    mechanism: str
    initial: Response | None = None

    def __post_init__(self) -> None:
        if not _MECHANISM.fullmatch(self.mechanism):
            raise LocalProtocolError(f"{visible(self.mechanism)} cannot be the name of a SASL mechanism")
        if self.initial is not None and not self.fits(self.mechanism, self.initial):
            raise LocalProtocolError("the initial response is too long for a command line")

    @staticmethod
    def fits(mechanism: str, initial: Response) -> bool:
        """Whether mechanism and initial response fit on a command line."""
        return len(f"AUTH {mechanism} \r\n") + len(initial.encoded()) <= MAX_COMMAND_LINE

    def wire(self) -> bytes:
        if self.initial is None:
            return b"AUTH %b\r\n" % self.mechanism.encode()
        return b"AUTH %b %b\r\n" % (self.mechanism.encode(), self.initial.encoded() or b"=")

    def shown(self) -> str:
        if self.initial is None:
            return f"AUTH {self.mechanism}"
        return f"AUTH {self.mechanism} {STARS if self.initial.text else '='}"

    def secrets(self) -> tuple[bytes, ...]:
        return () if self.initial is None else self.initial.secrets()


@dataclass(frozen=True, slots=True)
class SaslResponse(Command):
    """Answer a Continuation. It is a part of the AUTH command: it has no Reply of its own. It is never shown."""

    response: Response

    def wire(self) -> bytes:
        return self.response.encoded() + b"\r\n"

    def shown(self) -> str:
        return STARS

    def secrets(self) -> tuple[bytes, ...]:
        return self.response.secrets()


@dataclass(frozen=True, slots=True)
class SaslCancel(_OpenCommand):
    """Cancel a SASL exchange; the server must answer -ERR (RFC 5034 §4). Part of the AUTH command."""

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
    """Mark a message as deleted; QUIT deletes it (RFC 1939 §5)."""

    message: int

    def __post_init__(self) -> None:
        if self.message < 1:
            _check_message(self.message)

    def wire(self) -> bytes:
        return b"DELE %d\r\n" % self.message


@dataclass(frozen=True, slots=True)
class Noop(_OpenCommand):
    """Ask for a reply (RFC 1939 §5)."""

    def wire(self) -> bytes:
        return b"NOOP\r\n"


@dataclass(frozen=True, slots=True)
class Quit(_OpenCommand):
    """End the session; after a login its +OK confirms the deletions (RFC 1939 §6)."""

    def wire(self) -> bytes:
        return b"QUIT\r\n"
