"""The commands of SMTP and LMTP, one class for each verb, with a form for the wire and one for logs.

`wire()` holds the secrets and ends in CRLF; `shown()` holds none and has no line end. Construction raises
LocalProtocolError for an argument that cannot stand on a line, without repeating it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tui_popretr.sasl import Response
from tui_popretr.secret import STARS
from tui_popretr.smtp.encoding import END
from tui_popretr.smtp.errors import LocalProtocolError
from tui_popretr.text import visible

#: Octets of an AUTH line with an initial response, without CRLF. RFC 5321 §4.5.3.1.4 allows 510; a shorter line costs
#: one round trip at most.
LONGEST_AUTH = 253

_UNSENDABLE = re.compile("[\r\n\0]")
_NOT_IN_ADDRESS = re.compile("[\r\n\0>]")
# RFC 4422 §3.1
_MECHANISM = re.compile("[A-Z0-9_-]{1,20}")


class Command(ABC):
    """One command line."""

    __slots__ = ()

    @abstractmethod
    def wire(self) -> bytes:
        """Return the line as it is sent, CRLF and secrets included."""

    def shown(self) -> str:
        """Return the line for logs: without secrets and line end, safe in a terminal."""
        return visible(self.wire()[:-2])

    def secrets(self) -> tuple[bytes, ...]:
        """Return what must be starred out when a server echoes it."""
        return ()


class _Plain(Command):
    """A command without arguments."""

    __slots__ = ()
    verb: ClassVar[bytes]

    def wire(self) -> bytes:
        return self.verb + b"\r\n"


@dataclass(frozen=True, slots=True)
class _Hello(Command):
    """`name` is a domain or an address literal (RFC 5321 §4.1.4)."""

    verb: ClassVar[str]

    name: str

    def __post_init__(self) -> None:
        if not self.name.isascii() or _UNSENDABLE.search(self.name):
            raise LocalProtocolError("our name cannot be written on a line")

    def wire(self) -> bytes:
        return f"{self.verb} {self.name}\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Ehlo(_Hello):
    """Introduce ourselves, and ask for the extensions."""

    verb = "EHLO"


@dataclass(frozen=True, slots=True)
class Lhlo(_Hello):
    """EHLO of LMTP (RFC 2033 §4.1)."""

    verb = "LHLO"


@dataclass(frozen=True, slots=True)
class Helo(_Hello):
    """Introduce ourselves to a server without extensions."""

    verb = "HELO"


@dataclass(frozen=True, slots=True)
class StartTls(_Plain):
    """Begin TLS (RFC 3207)."""

    verb = b"STARTTLS"


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """Begin a SASL exchange (RFC 4954 §4). The server continues it with 334 replies."""

    mechanism: str
    initial: Response | None = None

    def __post_init__(self) -> None:
        if not _MECHANISM.fullmatch(self.mechanism):
            raise LocalProtocolError("this is not the name of a SASL mechanism")

    @staticmethod
    def fits(mechanism: str, initial: Response) -> bool:
        """Whether the line with this initial response is short enough for all servers."""
        return len("AUTH ") + len(mechanism) + 1 + len(_initial(initial)) <= LONGEST_AUTH

    def wire(self) -> bytes:
        line = b"AUTH " + self.mechanism.encode()
        return line + (b"\r\n" if self.initial is None else b" " + _initial(self.initial) + b"\r\n")

    def shown(self) -> str:
        return f"AUTH {self.mechanism}" if self.initial is None else f"AUTH {self.mechanism} {STARS}"

    def secrets(self) -> tuple[bytes, ...]:
        return () if self.initial is None else self.initial.secrets()


def _initial(response: Response) -> bytes:
    return response.encoded() or b"="


@dataclass(frozen=True, slots=True)
class SaslResponse(Command):
    """The response to a 334 challenge."""

    response: Response

    def wire(self) -> bytes:
        return self.response.encoded() + b"\r\n"

    def shown(self) -> str:
        return STARS

    def secrets(self) -> tuple[bytes, ...]:
        return self.response.secrets()


@dataclass(frozen=True, slots=True)
class SaslCancel(_Plain):
    """Cancel a SASL exchange."""

    verb = b"*"


@dataclass(frozen=True, slots=True)
class Mail(Command):
    """Begin the envelope. `size`: SIZE (RFC 1870), in octets; `eight_bit`: 8BITMIME; `utf8`: SMTPUTF8 (RFC 6531)."""

    sender: str
    size: int | None = None
    eight_bit: bool = False
    utf8: bool = False

    def __post_init__(self) -> None:
        _check_address(self.sender, self.utf8)

    def wire(self) -> bytes:
        options = "" if self.size is None else f" SIZE={self.size}"
        options += " BODY=8BITMIME" if self.eight_bit else ""
        options += " SMTPUTF8" if self.utf8 else ""
        return f"MAIL FROM:<{self.sender}>{options}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Rcpt(Command):
    """Add a recipient. `utf8`: MAIL had SMTPUTF8."""

    recipient: str
    utf8: bool = False

    def __post_init__(self) -> None:
        _check_address(self.recipient, self.utf8)

    def wire(self) -> bytes:
        return f"RCPT TO:<{self.recipient}>\r\n".encode()


def _check_address(address: str, utf8: bool) -> None:
    if _NOT_IN_ADDRESS.search(address):
        raise LocalProtocolError("the address would end its command")
    if address.isascii():
        return
    if not utf8:
        raise LocalProtocolError("the address needs SMTPUTF8")
    if any("\ud800" <= each <= "\udfff" for each in address):
        raise LocalProtocolError("the address cannot be written in UTF-8")


@dataclass(frozen=True, slots=True)
class Data(_Plain):
    """Ask for leave to send the message."""

    verb = b"DATA"


@dataclass(frozen=True, slots=True)
class EndOfMessage(Command):
    """The end of a message (Machine.end). In LMTP there is one for each verdict, with its `recipient`."""

    recipient: str = ""

    def wire(self) -> bytes:
        return END


@dataclass(frozen=True, slots=True)
class Rset(_Plain):
    """Drop the envelope."""

    verb = b"RSET"


@dataclass(frozen=True, slots=True)
class Noop(_Plain):
    """See whether the server answers."""

    verb = b"NOOP"


@dataclass(frozen=True, slots=True)
class Quit(_Plain):
    """End the session."""

    verb = b"QUIT"
